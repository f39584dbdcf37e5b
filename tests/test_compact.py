"""A shortened figure is the same picture: every mark keeps its points and its looks."""

import io
import itertools
import re

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from rnnnotes.site.compact import (
    FILL,
    INHERITED,
    MARKS,
    STROKE,
    SVG,
    TEXT,
    compact,
    steps,
    straightened,
)

matplotlib.use("agg")
import matplotlib.pyplot as plt

PAIRS = {"m": 1, "l": 1, "h": 1, "v": 1, "c": 3, "q": 2}
NOT_DRAWN = (f"{SVG}defs", f"{SVG}clipPath")
PIECE = f"{SVG}tspan"
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")


def absolute(d):
    """The points of a path in tenths of a pixel, whichever way they are written."""
    points, here, start = [], (0, 0), (0, 0)
    for letter, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", d):
        values = [round(float(number) * 10) for number in NUMBER.findall(numbers)]
        if letter in "zZ":
            here = start
            points.append("z")
            continue
        if letter in "hv":
            values = [n for value in values for n in ((value, 0) if letter == "h" else (0, value))]
        given_points = list(zip(values[::2], values[1::2], strict=True))
        pairs = PAIRS[letter.lower()]
        for at in range(0, len(given_points), pairs):
            for x, y in given_points[at : at + pairs]:
                points.append((x, y) if letter.isupper() else (here[0] + x, here[1] + y))
            here = points[-1]
            if letter in "mM" and at == 0:
                start = here
    return points


def looks(root):
    """What each mark is drawn with, parents counted in; marks in the order of drawing."""
    ids = {element.get("id"): element for element in root.iter(f"{SVG}*") if element.get("id")}
    found = []
    for element in root.iter(f"{SVG}*"):
        if element.getparent() is None or element.getparent().tag in NOT_DRAWN:
            continue
        # A text in pieces says nothing by itself; a path that only moves draws nothing.
        if element.tag not in MARKS | {PIECE} or len(element):
            continue
        if element.tag == f"{SVG}path" and re.fullmatch(r"[Mm\d\s.-]*", element.get("d")):
            continue
        look = {}
        mark = ids.get(element.get("href", "#")[1:])
        for name, initial in INHERITED.items():
            if name in TEXT and element.tag not in (f"{SVG}text", PIECE):
                continue
            chain = [mark, element, *element.iterancestors()]
            said = (node.get(name) for node in chain if node is not None)
            look[name] = next((value for value in said if value is not None), initial)
        # What draws nothing is not seen, nor what an attribute says of a stroke that is not there.
        if look.get("stroke") == "none":
            if look["fill"] == "none" and element.tag == f"{SVG}path":
                continue
            look = {name: value for name, value in look.items() if name not in STROKE}
        if look.get("fill") == "none":
            look = {name: value for name, value in look.items() if name not in FILL}
        d = (element if mark is None else mark).get("d", "")
        if d.rstrip()[-1:] in ("z", "Z") and look.get("stroke-dasharray") == "none":
            look.pop("stroke-linecap", None)  # it has no ends
        if look.get("stroke-dasharray") == "none":
            look.pop("stroke-dashoffset", None)
        still = re.fullmatch(r"rotate\(-?0(?: .*)?\)", element.get("transform", ""))
        look["place"] = (
            element.get("x"),
            element.get("y"),
            None if still else element.get("transform"),
            "".join(element.itertext()),
        )
        look["points"] = absolute(d)
        found.append(look)
    return found


def runs_along(points, line):
    """Whether every point lies on the line to 0.15 px (and half a tenth for rounding)."""
    corners = [corner for corner in line if corner != "z"]
    if points == line:
        return True
    pieces = list(itertools.pairwise(corners))
    return {points[0], points[-1]} <= {corners[0], corners[-1], "z"} and all(
        min(distance(point, *piece) for piece in pieces) <= 2.3 for point in points if point != "z"
    )


def distance(p, a, b):
    """From a point to the piece of a line between two others, in tenths of a pixel."""
    p, a, b = (np.array(point, dtype=float) for point in (p, a, b))
    along = np.clip((p - a) @ (b - a) / max((b - a) @ (b - a), 1e-12), 0, 1)
    return np.linalg.norm(p - a - along * (b - a))


def drawing():
    figure, (one, two) = plt.subplots(1, 2)
    one.plot([0, 1, 2, 3], [1, 4, 2, 8], "o--", label="a")
    one.fill_between([0, 1, 2, 3], [0, 1, 1, 2], [2, 5, 3, 9], alpha=0.3)
    one.legend()
    one.set_title("Title", loc="left", fontweight="bold")
    two.bar(["x", "y"], [3, -1], color=["#0b5fa5", "#c2410c"], hatch="/")
    two.scatter([0, 1], [1, 2], c=[0.1, 0.9], s=[30, 60])
    two.annotate("here", (0, 1), (0.5, 2), arrowprops={"arrowstyle": "->"}, rotation=30)
    two.semilogy()  # ticks in mathematics, and so in pieces
    two.plot([0, 1], [1, 2], "s", color="#1a7f4b")
    two.grid(True)
    return figure


@pytest.fixture
def root():
    text = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "x"}):
        figure = drawing()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
    svg = etree.fromstring(text.getvalue().encode(), etree.XMLParser(remove_blank_text=True))
    for element in svg.iter(f"{SVG}*"):
        for rule in filter(str.strip, element.attrib.pop("style", "").split(";")):
            key, _, value = (part.strip() for part in rule.partition(":"))
            element.set("font-size" if key == "font" else key, value)
        link = "{http://www.w3.org/1999/xlink}href"
        if link in element.attrib:
            element.set("href", element.attrib.pop(link))
    return svg


def test_every_mark_looks_as_before(root):
    before = looks(root)
    compact(root)
    after = looks(root)
    assert len(before) == len(after) > 50
    for one, other in zip(before, after, strict=True):
        points = other.pop("points")
        assert runs_along(one.pop("points"), points)
        if len(points) == 2:  # from one point straight to another: there is no corner
            for name in ("stroke-linejoin", "stroke-miterlimit"):
                one.pop(name, None), other.pop(name, None)
        assert one == other


def test_it_is_shorter_and_shortening_it_again_changes_no_look(root):
    before = len(etree.tostring(root))
    compact(root)
    once = looks(root)
    assert len(etree.tostring(root)) < 0.85 * before
    compact(root)
    assert looks(root) == once


def test_what_must_be_clipped_stays_clipped():
    svg = """<svg xmlns="http://www.w3.org/2000/svg"><defs><clipPath id="c">
      <rect x="10" y="10" width="80" height="40"/></clipPath></defs>
      <path d="M 10 20 L 90 20" clip-path="url(#c)"/>
      <path d="M 10 20 L 95 20" clip-path="url(#c)"/>
      <path d="M 20 20 L 80 60 L 30 30" clip-path="url(#c)"/></svg>"""
    root = etree.fromstring(svg)
    compact(root)
    paths = list(root.iter(f"{SVG}path"))
    clipped = ["clip-path" in {**p.getparent().attrib, **p.attrib} for p in paths]
    assert clipped == [False, True, True]


tenths = st.integers(-5000, 5000).map(lambda value: f"{value / 10:g}")
point = st.tuples(tenths, tenths).map(" ".join)
line = st.tuples(st.just("L"), point).map(" ".join)
curve = st.tuples(st.just("C"), point, point, point).map(" ".join)
piece = st.tuples(
    st.tuples(st.just("M"), point).map(" ".join),
    st.lists(line | curve, max_size=6).map(" ".join),
    st.sampled_from(["", "z"]),
).map(" ".join)


@given(st.lists(piece, min_size=1, max_size=4).map(" ".join))
def test_steps_lead_to_the_same_points(d):
    assert absolute(steps(d)) == absolute(d)


def test_a_path_with_other_commands_is_left_alone():
    assert steps("M 0 0 A 1 1 0 0 0 2 2") == "M 0 0 A 1 1 0 0 0 2 2"


@given(st.lists(st.tuples(tenths, tenths), min_size=2, max_size=30))
def test_a_straightened_line_passes_where_the_line_did(points):
    d = "M " + " L ".join(map(" ".join, points))
    before, after = absolute(d), absolute(straightened(d))
    assert runs_along(before, after)


def test_points_on_a_straight_line_go():
    assert (
        straightened("M 0 0 L 1 1 L 2 2 L 3 3 L 3 0 z").split()
        == "M 0.0 0.0 L 3.0 3.0 L 3.0 0.0 z".split()
    )


def drawn(body):
    """A figure in SVG of these elements, shortened, as text."""
    root = etree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>')
    compact(root)
    return etree.tostring(root, encoding="unicode").replace(
        ' xmlns="http://www.w3.org/2000/svg"', ""
    )


def test_what_nobody_sees_goes_and_all_else_stays():
    assert drawn('<g><path d="M 1 2" stroke="red"/><path d="M 1 2 L 3 4 z" fill="none"/></g>') == (
        "<svg/>"
    )
    # A mark without a colour of its own takes that of its place; what clips is not painted.
    kept = drawn(
        '<defs><path id="a" d="M 0 0 L 0 3" fill="none"/><clipPath id="b">'
        '<path d="M 0 0 L 5 0 L 5 5 z" fill="none"/></clipPath></defs>'
        '<use href="#a" stroke="red"/><text clip-path="url(#b)">x</text>'
    )
    assert kept.count("<path") == 2 and "<use" in kept


def test_straight_lines_and_small_numbers_are_short():
    assert steps("M 1 2 L 3 2 L 3 4.5 L 1 4.5 L 1 2 z") == "m1 2h2v2.5h-2v-2.5z"
    assert steps("M 0 0 L 1 1 L 2 2 L 2 5 L 3 3") == "m0 0l1 1 1 1v3l1-2"
    assert steps("M 0 0 C 0.5 0.5 0.5 -1 1.5 0.6") == "m0 0c.5.5.5-1 1.5.6"


def test_one_attribute_in_common_is_said_once():
    body = "".join(
        f'<path d="M 0 {y} L 2 {y}" stroke="#0b5fa5" stroke-width="{1 + y}"/>'
        f'<text x="{y}" y="2" fill="#0b5fa5">a</text>'
        for y in range(4)
    )
    short = drawn(body)
    assert short.count('fill="#0b5fa5"') == 1 == short.count('stroke="#0b5fa5"')


def test_a_mark_in_two_colours_is_kept_once():
    circle = (
        "M 0 2 C 1.1 2 2 1.1 2 0 C 2 -1.1 1.1 -2 0 -2 C -1.1 -2 -2 -1.1 -2 0 C -2 1.1 -1.1 2 0 2 z"
    )
    colours = ("red", "blue", "red")
    short = drawn(
        "".join(
            f'<defs><path id="m{n}" d="{circle}" stroke="{colour}"/></defs>'
            f'<g fill="{colour}"><use x="{n}" href="#m{n}"/><use x="{n}" y="5" href="#m{n}"/></g>'
            for n, colour in enumerate(colours)
        )
    )
    assert short.count("<path") == 1 and short.count('href="#m0"') == 6
    uses = etree.fromstring(short).xpath("//*[local-name()='use']")
    said = [use.xpath("ancestor-or-self::*[@stroke][1]/@stroke") for use in uses]
    assert said == [[colour] for colour in colours for _ in range(2)]


def test_the_lines_of_a_pattern_keep_their_colour():
    short = drawn(
        '<path d="M 0 0 L 9 0" stroke="red"/><defs><pattern id="p"><path d="M 0 0 L 1 1"/>'
        '</pattern></defs><path d="M 0 1 L 9 1" stroke="red" fill="url(#p)"/>'
    )
    (inside,) = etree.fromstring(short).xpath("//*[local-name()='pattern']/*")
    said = (node.get("stroke") for node in (inside, *inside.iterancestors()))
    assert next(filter(None, said), "none") == "none"
