"""A figure of matplotlib made fit for a page: what it keeps, what it loses, what it must not do."""

import re
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pytest
from lxml import etree

from rnnnotes.plot import palette
from rnnnotes.site.figures import embed
from woven_page import REPOSITORY, svg_of

SVG = "{http://www.w3.org/2000/svg}"
HEX = re.compile(r"#[0-9a-fA-F]{3,8}\b")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
PAIRS = {"m": 1, "l": 1, "h": 1, "v": 1, "c": 3, "q": 2}
VARIABLE = re.compile(r"var\(--rn-(\w+),(#[0-9a-f]{6})\)")


@pytest.fixture(autouse=True)
def closed_figures():
    with plt.rc_context():
        yield
        plt.close("all")


def lines():
    """Every colour of the palette, as line, text, face and edge; legend, grid, markers, hatches."""
    plt.style.use("rnnnotes.plot.house")
    figure, axes = plt.subplots()
    for number, hex_ in enumerate(palette.LIGHT.values()):
        axes.plot([0, 1], [number, number + 1], color=hex_, marker="os^v"[number % 4])
        axes.text(0, number, f"text {number}", color=hex_)
        axes.bar([2 + number], [number], color=hex_, edgecolor=hex_.upper(), hatch="/")
    axes.set_title("h₀ to h₁: ‖∂h‖ < 1 & σ > 0", style="italic")
    axes.set_xlabel("lag *t* _k_ [a](b) `c`", weight="bold")
    axes.plot([], label='a "quoted" label')
    axes.legend()
    return figure


def crowded():
    """Markers used many times, clips, arrows, images, filled bands, symlog axes, many panels."""
    rng = np.random.default_rng(0)
    figure, grid = plt.subplots(2, 2)
    grid[0, 0].scatter(*rng.normal(size=(2, 30)), c=palette.LIGHT["teal"], alpha=0.5)
    grid[0, 1].imshow(rng.normal(size=(4, 4)))
    grid[1, 0].fill_between([0, 1, 2], [0, 1, 0], [1, 3, 2], color=palette.LIGHT["amber"])
    grid[1, 0].annotate("here", (1, 1), (2, 2), arrowprops={"arrowstyle": "->"})
    grid[1, 1].loglog([1, 10, 100], [1e-8, 1e-3, 10])
    grid[1, 1].axvspan(2, 5, color=palette.LIGHT["grid"])
    return figure


def bare():
    """What matplotlib draws when nobody has chosen a style."""
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2])
    axes.grid()
    axes.set_ylabel("plain")
    return figure


FIGURES = (lines, crowded, bare)


def fresh(make) -> str:
    """The figure as the kernel saves it."""
    with plt.rc_context():
        figure = make()
        svg = svg_of(figure, "docs/a.md-1")
        plt.close(figure)
    return svg


drawn = cache(fresh)


def tree(make, name="fig-1", description="what is drawn") -> etree._Element:
    return etree.fromstring(embed(drawn(make), name, description))


@pytest.mark.parametrize("make", FIGURES)
def test_nothing_reaches_the_page_around_it(make):
    """No style sheet, no style attribute, no id but those referred to, no script, no address."""
    out = embed(drawn(make), "fig-1", "what is drawn")
    root = etree.fromstring(out)
    assert "\n" not in out
    assert not root.xpath("//*[local-name()='style' or local-name()='metadata']")
    assert not root.xpath("//*[local-name()='script' or local-name()='a']")
    assert not root.xpath("//@style | //@class")
    outside = [value for value in root.xpath("//@*") if "://" in value]
    assert outside == []
    assert set(root.nsmap) <= {None}
    for href in root.xpath("//@*[local-name()='href']"):
        assert href.startswith(("#fig-1-", "data:image/png;base64,"))


@pytest.mark.parametrize("make", FIGURES)
def test_ids_are_unique_and_every_reference_is_resolved(make):
    root = tree(make)
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))
    text = etree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    assert used and used <= set(ids)


def test_two_figures_of_a_page_share_no_id():
    for make in FIGURES:
        one, other = tree(make, name="fig-1"), tree(make, name="fig-2")
        assert not set(one.xpath("//@id")) & set(other.xpath("//@id"))


@pytest.mark.parametrize("make", FIGURES)
def test_the_same_bytes_twice(make):
    assert embed(fresh(make), "f", "d") == embed(drawn(make), "f", "d")


def said(element: etree._Element, name: str) -> str | None:
    """What an element is drawn with: the word of the mark that it places, its own, a parent's."""
    (link,) = element.xpath("@*[local-name()='href']") or [""]
    mark = element.xpath("//*[@id=$id]", id=link.removeprefix("#"))
    for node in (*mark, element, *element.iterancestors()):
        style = dict(
            [part.strip() for part in rule.split(":", 1)]
            for rule in node.get("style", "").split(";")
            if ":" in rule
        )
        if value := style.get(name, node.get(name)):
            return value
    return None


def seen(root: etree._Element, *names: str) -> list[etree._Element]:
    """The marks of a figure in the order of drawing, without those that leave no trace.

    A path kept for use is drawn at each of its places; one without fill and stroke, or one that
    only moves, is not drawn at all.
    """
    found = []
    for element in root.iter([f"{SVG}{name}" for name in names]):
        if element.getparent().tag in (f"{SVG}defs", f"{SVG}clipPath"):
            continue
        bare = said(element, "fill") == "none" and said(element, "stroke") in (None, "none")
        still = re.fullmatch(r"[Mm\d\s.-]*", element.get("d", "M L"))
        if element.tag != f"{SVG}path" or not (bare or still):
            found.append(element)
    return found


def path_of(element: etree._Element) -> str:
    """The points of a path, or of the mark that a place refers to."""
    (link,) = element.xpath("@*[local-name()='href']") or [""]
    (mark,) = element.xpath("//*[@id=$id]", id=link.removeprefix("#")) or [element]
    return mark.get("d")


def test_every_colour_of_the_palette_follows_light_and_dark():
    before = etree.fromstring(drawn(lines).encode())
    after = tree(lines)
    found = set()
    tags = ("path", "use", "text")
    for was, now in zip(seen(before, *tags), seen(after, *tags), strict=True):
        for key in ("fill", "stroke"):
            old, new = said(was, key), said(now, key)
            for name, fallback in VARIABLE.findall(new or ""):
                assert palette.LIGHT[name] == fallback
                found.add(name)
            if old and HEX.fullmatch(old):
                assert VARIABLE.sub(r"\2", new) == old.lower() and VARIABLE.fullmatch(new)
    assert found == set(palette.LIGHT)
    for key in ("fill", "stroke", "stop-color"):
        for value in after.xpath(f"//@{key}"):
            assert not HEX.search(VARIABLE.sub("", value).replace("url(#", "")), value
    # Text that says no colour has that of ink, which is no longer black in the dark.
    assert all(VARIABLE.fullmatch(said(text, "fill")) for text in after.iter(f"{SVG}text"))


def test_a_figure_without_the_house_style_follows_as_well():
    root = tree(bare)
    paints = {value for key in ("fill", "stroke") for value in root.xpath(f"//@{key}")}
    assert all(value == "none" or value.startswith("var(--rn-") for value in paints), paints
    names = {re.match(r"var\(--rn-(\w+)", value)[1] for value in paints - {"none"}}
    assert names == {"ink", "paper", "grid", "blue"}


def test_a_colour_that_the_palette_does_not_have_stays():
    def odd():
        figure, axes = plt.subplots()
        axes.plot([1, 2], color="#123456")
        return figure

    assert "#123456" in tree(odd).xpath("//@stroke")


@pytest.mark.parametrize("make", FIGURES)
def test_text_stays_text(make):
    figure = make()
    wanted = {text.get_text() for text in figure.findobj(plt.Text) if text.get_visible()}
    root = etree.fromstring(embed(svg_of(figure), "f", "d"))
    shown = {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}
    said = {text for text in wanted if text.strip() and "$" not in text}
    # A tick outside of its axes is an object, too, and is not drawn.
    assert {text for text in said if not re.fullmatch(r"[\d.e−-]+", text)} <= shown
    assert "h₀ to h₁: ‖∂h‖ < 1 & σ > 0" in shown or make is not lines
    assert not root.xpath("//*[local-name()='glyph' or local-name()='font']")


def test_fonts_keep_size_weight_and_slant_and_leave_the_family_to_the_page():
    root = tree(lines)
    by_text = {"".join(element.itertext()): element for element in root.iter(f"{SVG}text")}
    title = by_text["h₀ to h₁: ‖∂h‖ < 1 & σ > 0"]
    assert said(title, "font-style") == "italic"
    assert said(title, "font-size").removesuffix("px") == "12.5"
    label = by_text["lag *t* _k_ [a](b) `c`"]
    assert said(label, "font-weight") in ("700", "bold")
    assert said(label, "font-style") in (None, "normal")
    assert said(by_text["text 1"], "font-weight") in (None, "normal", "400")
    assert not root.xpath("//@font-family | //@font")
    assert all(said(text, "font-size") for text in by_text.values())


@pytest.mark.parametrize("make", FIGURES)
def test_every_piece_of_text_keeps_its_font(make):
    before, after = etree.fromstring(drawn(make).encode()), tree(make)
    tags = (f"{SVG}text", f"{SVG}tspan")
    for was, now in zip(before.iter(tags), after.iter(tags), strict=True):
        font = re.match(r"(?:(italic) )?(?:(bold|\d+) )?([\d.]+)px", said(was, "font") or "")
        style, weight, size = font.groups() if font else ("", "", said(was, "font-size"))
        if size:
            assert said(now, "font-size").removesuffix("px") == size.removesuffix("px")
        assert (said(now, "font-style") or "normal") == (
            style or said(was, "font-style") or "normal"
        )
        assert (said(now, "font-weight") or "normal") == (
            weight or said(was, "font-weight") or "normal"
        )
        assert (said(now, "text-anchor") or "start") == (said(was, "text-anchor") or "start")


def pieces(d: str) -> list[np.ndarray]:
    """The points of each connected piece of a path, written by places or by steps."""
    found, here, start = [], (0.0, 0.0), (0.0, 0.0)
    for letter, numbers in re.findall(r"([A-Za-df-z])([^A-Za-df-z]*)", d):
        if letter in "zZ":
            here = start
            continue
        values = [float(number) for number in NUMBER.findall(numbers)]
        if letter in "hv":
            values = [(value, 0.0) if letter == "h" else (0.0, value) for value in values]
            values = [number for pair in values for number in pair]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        for at in range(0, len(pairs), PAIRS[letter.lower()]):
            if letter in "mM" and at == 0:
                found.append([])
            origin = (0.0, 0.0) if letter.isupper() else here
            for x, y in pairs[at : at + PAIRS[letter.lower()]]:
                found[-1].append((origin[0] + x, origin[1] + y))
            here = found[-1][-1]
            start = here if letter in "mM" and at == 0 else start
    return [np.array(piece) for piece in found]


def distances(places: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far each place is from a line of straight pieces."""
    a, b = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
    step, gap = b - a, places[:, None] - a
    length = np.maximum((step**2).sum(-1), 1e-12)
    along = np.clip((gap * step).sum(-1) / length, 0, 1)
    return np.linalg.norm(gap - along[..., None] * step, axis=-1).min(1)


@pytest.mark.parametrize("make", FIGURES)
def test_a_path_that_is_shortened_looks_the_same(make):
    """Nothing moves by more than a fifth of a pixel, nor a corner by a tenth of one."""
    svg = drawn(make)
    out = embed(svg, "f", "d")
    before, after = etree.fromstring(svg.encode()), etree.fromstring(out)
    for was, now in zip(seen(before, "path", "use"), seen(after, "path", "use"), strict=True):
        was, now = path_of(was), path_of(now)
        old, new = pieces(was), pieces(now)
        assert len(old) == len(new)
        assert (was.strip()[-1] in "zZ") == (now[-1] == "z")
        for one, other in zip(old, new, strict=True):
            assert np.abs(one[[0, -1]] - other[[0, -1]]).max() <= 0.05 + 1e-9
            corners = np.abs(other[:, None] - one).max(-1).min(1)
            assert corners.max() <= 0.05 + 1e-9  # each is one of those that were there
            assert len(one) == len(other) or "C" not in was
            assert distances(one, other).max() <= 0.2 + 0.05 * 2**0.5
    assert len(out) < 0.8 * len(svg)


@pytest.mark.parametrize("make", FIGURES)
def test_marks_and_words_stay_in_their_places(make):
    before, after = etree.fromstring(drawn(make).encode()), tree(make)
    tags = (f"{SVG}use", f"{SVG}text", f"{SVG}tspan", f"{SVG}image")
    for was, now in zip(before.iter(tags), after.iter(tags), strict=True):
        for key in ("x", "y"):
            assert abs(float(was.get(key, 0)) - float(now.get(key, 0))) <= 0.05 + 1e-9


def test_every_mark_is_still_drawn_and_nothing_else_is_kept():
    for make in FIGURES:
        svg = drawn(make)
        before, after = etree.fromstring(svg.encode()), etree.fromstring(embed(svg, "f", "d"))
        for tag in ("path", "use", "text", "image"):
            assert len(seen(after, tag)) == len(seen(before, tag)), tag
        for tag in ("clipPath", "pattern"):
            assert len(list(after.iter(SVG + tag))) == len(list(before.iter(SVG + tag))), tag
        painted = [e for e in after.iter(f"{SVG}path") if e.getparent().tag != f"{SVG}defs"]
        assert seen(after, "path") == [e for e in painted if e.getparent().tag != f"{SVG}clipPath"]
        assert not [e for e in after.iter(f"{SVG}g", f"{SVG}defs") if not len(e)]


def test_the_picture_is_as_wide_as_it_says():
    root = tree(bare)
    assert (root.get("width"), root.get("height")) == ("216", "144")
    assert root.get("viewBox") == "0 0 216 144"
    assert root.get("role") == "img"
    root = tree(lines)
    assert root.get("width") == f"{5.83 * 72:g}"


def test_the_description_is_said_whatever_it_holds():
    root = tree(bare, description='A "quoted" line,\n  with <b> & *stars*,   rising')
    assert root.get("aria-label") == 'A "quoted" line, with <b> & *stars*, rising'


def test_the_house_draws_on_nothing():
    """A background of its own would stay light on a dark page."""
    root = tree(lines)
    width = float(root.get("width"))
    sheets = [
        path
        for path in root.iter(f"{SVG}path")
        if np.ptp(np.concatenate(pieces(path.get("d")))[:, 0]) > 0.7 * width
    ]
    assert sheets and all(
        said(path, "fill") in ("none", None)
        or "0" in (path.get("opacity"), path.get("fill-opacity"))
        for path in sheets
    )


# ---- the style sheet and the palette ------------------------------------------------------------


def variables(selector: str) -> dict[str, str]:
    css = (REPOSITORY / "docs/assets/rnnnotes.css").read_text("utf-8")
    rules = re.findall(r"([^{}]+)\{([^{}]*--rn-ink[^{}]*)\}", css)
    (body,) = [body for head, body in rules if head.strip().endswith(selector)]
    return dict(re.findall(r"--rn-(\w+):\s*(#[0-9a-fA-F]{6});", body))


@pytest.mark.parametrize(
    ("selector", "colours"),
    [
        ('[data-md-color-scheme="default"]', palette.LIGHT),
        ('[data-md-color-scheme="slate"]', palette.DARK),
    ],
)
def test_the_style_sheet_has_the_colours_of_the_palette(selector, colours):
    assert variables(selector) == colours


def test_light_and_dark_name_the_same_colours_and_lines_use_them():
    assert palette.LIGHT.keys() == palette.DARK.keys()
    assert set(palette.CYCLE) | set(palette.MEANING.values()) <= palette.LIGHT.keys()
    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT)
    assert len(set(palette.DARK.values())) == len(palette.DARK)
