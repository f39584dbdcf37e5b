"""Text that shows what a prediction depends on: its levels, words and HTML, and in a browser."""

import math
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from browsing import Visit, serving
from rnnnotes import plot
from woven_page import REPOSITORY, render, result, weave

TEXT = 'if x<3: &c "q"\n\tgo on, and\nthen some of it'
N = len(TEXT)


def matrix_of(n: int, seed: int = 0) -> np.ndarray:
    return np.tril(np.random.default_rng(seed).random((n, n)) ** 3)


def shown_html(text=TEXT, **more) -> str:
    return plot.GradientText(text, matrix_of(len(text)), **more)._repr_html_()


def parsed(html: str):
    """The HTML, read strictly: as XML, from the page that it is woven into."""
    return render(html).xpath("//div[contains(@class, 'rn-gradient')]")[0]


def spans(root) -> list:
    return root.xpath("pre/span")


# ---- levels ----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 7).flatmap(lambda n: arrays(float, (n, n), elements=st.floats(0, 1e6))))
def test_levels_are_those_of_a_plain_count(matrix):
    matrix = np.tril(matrix)
    shown = plot.GradientText("x" * len(matrix), matrix)
    for t, row in enumerate(shown.levels):
        largest = max(matrix[t][: t + 1])
        expected = [
            min(math.floor(9 * matrix[t][k] / largest), 8) if largest else 0 for k in range(t + 1)
        ]
        assert list(row) == expected


def test_each_row_is_scaled_by_itself_and_a_row_of_zeros_is_plain():
    matrix = torch.tensor([[0.0, 0, 0], [1e-30, 2e-30, 0], [3e20, 1e20, 9e20]], dtype=torch.float64)
    assert plot.GradientText("abc", matrix).levels == ((0,), (4, 8), (3, 1, 8))
    upper = torch.ones(3, 3, dtype=torch.bool).triu(1)
    assert plot.GradientText("abc", matrix.masked_fill(upper, math.nan)).levels[2] == (3, 1, 8)


# ---- words -----------------------------------------------------------------------------------


def test_a_row_in_words():
    matrix = [
        [0.0, 0, 0, 0, 0],
        [2.0, 1, 0, 0, 0],
        [1.0, 1, 1, 0, 0],
        [0.0, 0, 5, 0, 0],
        [4.0, 3, 2, 1, 0],
    ]
    shown = plot.GradientText("a \n\tb", matrix)
    told = [shown.describe(t).partition("The prediction after ")[2] for t in range(5)]
    assert told == [
        "“a”, character 1 of 5, depends on no character.",
        "space, character 2 of 5, depends most on “a” (1 back), then space itself.",
        "line break, character 3 of 5, depends most on line break itself, "
        "then space (1 back), then “a” (2 back).",
        "tab, character 4 of 5, depends most on line break (1 back).",
        "“b”, character 5 of 5, depends most on “a” (4 back), then space (3 back), "
        "then line break (2 back).",
    ]
    with pytest.raises(ValueError, match="t: expected a whole number of at least 0 and at most 4"):
        shown.describe(5)


def test_repr_is_the_text_and_the_row_of_start():
    shown = plot.GradientText("ab", [[1, 0], [1, 0]], start=-2, meaning="slope")
    assert str(shown) == "ab"
    said = "The prediction after “a”, character 1 of 2, depends most on “a” itself."
    assert repr(shown) == f"ab\n(slope) {said}"


# ---- HTML ------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=3)
        | st.sampled_from(["\n", "\t", " ", "<b>", "&lt;", "</span>", ' style="x"', "*a*", "$x$"]),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_the_text_survives_the_loom_one_element_for_each_string(texts, data):
    start = data.draw(st.integers(0, len(texts) - 1))
    shown = plot.GradientText(texts, matrix_of(len(texts)), start=start)
    html = shown._repr_html_()
    woven = weave("```python\nshown\n```\n", [[result("", text_html=html)]]).markdown
    root = parsed(woven)
    assert [span.text for span in spans(root)] == texts
    for k, span in enumerate(spans(root)):
        shade = f"rn-heat-{shown.levels[start][k]}" if k <= start else "rn-later"
        assert shade in span.get("class").split()
        assert ("rn-chosen" in span.get("class").split()) == (k == start)
    assert root.xpath("string(p[@aria-live='polite'])") == shown.describe(start)


@pytest.mark.parametrize("frame", ['!!! note "A note"\n\n{}', '??? question "Q"\n\n{}'])
def test_it_stands_in_a_callout_too(frame):
    block = "    ```python\n    shown\n    ```\n"
    woven = weave(frame.format(block), [[result("", text_html=shown_html())]]).markdown
    assert "".join(span.text for span in spans(parsed(woven))) == TEXT


def test_no_style_no_script_and_nothing_that_is_not_escaped():
    html = shown_html(meaning='a "b" <i>&')
    root = parsed(html)
    assert root.xpath("//@style | //script | //style | //i | //@onclick") == []
    assert root.get("aria-label") == 'A text, tinted by: a "b" <i>&'
    assert 'a "b" <i>&: 0' in root.xpath("string(p[contains(@class, 'rn-heat-scale')])")
    assert "\n" not in html


def test_the_rows_are_one_digit_for_each_entry_and_the_page_stays_light():
    n = 120
    shown = plot.GradientText("abcde " * 20, matrix_of(n))
    html = shown._repr_html_()
    root = parsed(html)
    rows = root.get("data-rows")
    assert re.fullmatch("[0-8]*", rows) and len(rows) == n * (n + 1) // 2
    for t in range(n):
        row = rows[t * (t + 1) // 2 :][: t + 1]
        assert tuple(map(int, row)) == shown.levels[t]
    assert len(spans(root)) == n
    assert len(html.encode()) < 16_000
    assert (REPOSITORY / "docs/assets/rnnnotes.js").stat().st_size < 3000


def test_the_table_holds_a_spread_of_rows_with_their_shares():
    matrix = np.diag(np.full(40, 2.0)) + np.diag(np.full(39, 1.0), -1)
    matrix[39, 20] = 0.001
    text = "".join(chr(ord("a") + k % 26) for k in range(40))
    rows = parsed(plot.GradientText(text, matrix, start=2)._repr_html_()).xpath(".//tbody/tr")
    told = [["".join(cell.itertext()).replace("\xa0", " ") for cell in row] for row in rows]
    assert [int(head.partition(":")[0]) for head, _ in told] == [3, 5, 10, 15, 20, 25, 30, 35, 40]
    assert told[0] == ["3: “abc”", "“c” itself 100 %, “b” (1 back) 50 %"]
    assert told[-1] == [
        "40: “…cdefghijklmn”",
        "“n” itself 100 %, “m” (1 back) 50 %, “u” (19 back) below 1 %",
    ]
    few = parsed(plot.GradientText("ab", [[0, 0], [1, 0]])._repr_html_()).xpath(".//tbody/tr")
    assert [row[1].text for row in few] == ["no character", "“a” (1 back) 100\xa0%"]


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"characters": ["a", 1]}, TypeError, r"characters\[1\]: expected str, got int"),
        ({"characters": ""}, ValueError, "characters: expected at least one"),
        ({"characters": "abc"}, ValueError, r"matrix: expected shape \(3, 3\).*got \(2, 2\)"),
        ({"matrix": [[1, 0]]}, ValueError, r"matrix: expected shape \(2, 2\).*got \(1, 2\)"),
        ({"matrix": [[1, 0], [-1, 1]]}, ValueError, r"at least 0, got -1 at index \(1, 0\)"),
        ({"matrix": [[1, 0], [1, math.inf]]}, ValueError, r"got inf at index \(1, 1\)"),
        ({"matrix": [[math.nan, 0], [1, 1]]}, ValueError, r"got nan at index \(0, 0\)"),
        ({"matrix": [[1, 0.5], [1, 1]]}, ValueError, r"0 or NaN .* got 0.5 at index \(0, 1\)"),
        ({"matrix": [[1, -math.inf], [1, 1]]}, ValueError, r"0 or NaN .* got -inf"),
        ({"start": 2}, ValueError, "start: .* at least -2 and at most 1, got 2"),
        ({"start": -3}, ValueError, "start: .* at least -2 and at most 1, got -3"),
        ({"start": 0.5}, TypeError, "start: "),
        ({"meaning": 3}, TypeError, "meaning: expected str, got int"),
    ],
)
def test_bad_input_is_refused_with_its_place(change, error, message):
    good = {"characters": "ab", "matrix": [[1, 0], [1, 1]]}
    with pytest.raises(error, match=message):
        plot.GradientText(**good | change)


# ---- in a browser ----------------------------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A text</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="assets/rnnnotes.css"><script src="assets/rnnnotes.js" defer></script>
</head><body class="md-typeset" data-md-color-scheme="{scheme}"><main><h1>A text</h1>
<a href="#before">before</a>{body}<a href="#after">after</a></main></body></html>"""
START = TEXT.index("&")
SHOWN = plot.GradientText(TEXT, matrix_of(N), start=START)
STATE = """() => {
  const spans = [...document.querySelectorAll('.rn-gradient pre > span')];
  const chosen = spans.filter(s => s.classList.contains('rn-chosen'));
  return {
    chosen: chosen.map(s => spans.indexOf(s)),
    levels: spans.map(s => s.className.match(/rn-heat-(\\d)/)?.[1] ?? null),
    tints: spans.map(s => getComputedStyle(s).backgroundColor),
    outlines: spans.map(s => getComputedStyle(s).outlineStyle),
    stops: spans.map((s, k) => s.tabIndex === 0 ? k : -1).filter(k => k >= 0),
    selected: spans.map((s, k) => s.ariaSelected === 'true' ? k : -1).filter(k => k >= 0),
    focused: spans.indexOf(document.activeElement),
    says: document.querySelector('[aria-live=polite]').textContent,
  };
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Pages with a text, and one without, on a server that allows nothing from elsewhere."""
    folder = tmp_path_factory.mktemp("text")
    shutil.copytree(REPOSITORY / "docs/assets", folder / "assets")
    bodies = {"light": SHOWN._repr_html_(), "dark": SHOWN._repr_html_(), "without": "<p>None.</p>"}
    for name, body in bodies.items():
        scheme = "slate" if name == "dark" else "default"
        text = PAGE.format(body=body, scheme=scheme)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    (folder / "favicon.ico").touch()  # a browser asks for it

    with serving(folder, {"Content-Security-Policy": "default-src 'self'"}) as at:
        yield at


def span(visit, t: int):
    return visit.tab.locator(".rn-gradient pre > span").nth(t)


def shows(visit, t: int) -> dict:
    """What the browser shows, once it is all of it that of row t."""
    state = visit.tab.evaluate(STATE)
    assert state["chosen"] == [t]
    assert state["says"] == SHOWN.describe(t)
    assert state["levels"] == [str(level) for level in SHOWN.levels[t]] + [None] * (N - t - 1)
    of_level = dict(zip(state["levels"], state["tints"], strict=True))
    assert len(set(of_level.values())) == len(of_level) - (None in of_level and "0" in of_level)
    assert [k for k, style in enumerate(state["outlines"]) if style != "none"] == [t]
    return state


@pytest.mark.browser
def test_pointing_at_a_character_shows_its_row(chromium, served):
    with Visit(chromium, served, "light.html") as visit:
        shows(visit, START)
        for t in (N - 1, 0, TEXT.index("\n"), TEXT.index("<"), 20):
            span(visit, t).hover()
            state = shows(visit, t)
            assert state["stops"] == state["selected"] == [t]
        visit.tab.locator("h1").hover()
        shows(visit, 20)
        assert visit.complaints == visit.foreign == []


@pytest.mark.browser
def test_the_browser_and_the_package_say_the_same_of_every_row(chromium, served):
    with Visit(chromium, served, "light.html") as visit:
        for t in range(N):
            span(visit, t).dispatch_event("click")
            shows(visit, t)


@pytest.mark.browser
def test_a_tap_shows_the_row(chromium, served):
    context = chromium.new_context(viewport={"width": 360, "height": 700}, has_touch=True)
    tab = context.new_page()
    tab.goto(served + "light.html")
    tab.locator(".rn-gradient pre > span").nth(5).tap()
    assert tab.evaluate(STATE)["chosen"] == [5]
    assert tab.locator("[aria-live]").inner_text() == SHOWN.describe(5)
    context.close()


@pytest.mark.browser
def test_the_keyboard_stops_once_and_walks_by_arrows(chromium, served):
    lines = TEXT.split("\n")
    second = len(lines[0]) + 1
    with Visit(chromium, served, "light.html") as visit:
        keyboard = visit.tab.keyboard
        visit.tab.locator("a").first.focus()
        keyboard.press("Tab")
        steps = [
            ("ArrowRight", START + 1),
            ("ArrowLeft", START),
            ("ArrowLeft", START - 1),
            ("Home", 0),
            ("ArrowLeft", 0),
            ("ArrowUp", 0),
            ("ArrowDown", second),
            ("ArrowUp", 0),
            ("End", N - 1),
            ("ArrowRight", N - 1),
            ("ArrowDown", N - 1),
        ]
        assert shows(visit, START)["focused"] == START
        for key, t in steps:
            keyboard.press(key)
            state = shows(visit, t)
            assert state["focused"] == t and state["stops"] == [t], key
        keyboard.press("Tab")
        assert visit.tab.evaluate("document.activeElement.tagName") == "SUMMARY"
        keyboard.press("Shift+Tab")
        assert shows(visit, N - 1)["focused"] == N - 1
        keyboard.press("Shift+Tab")
        assert visit.tab.evaluate("document.activeElement.textContent") == "before"
        assert visit.complaints == []


@pytest.mark.browser
def test_readers_are_told_what_is_what(chromium, served):
    with Visit(chromium, served, "light.html") as visit:
        tree = visit.tab.locator(".rn-gradient").aria_snapshot()
        assert 'group "A text, tinted by: gradient"' in tree.partition("\n")[0]
        assert 'listbox "The characters of the text"' in tree
        assert 'option "line break"' in tree and 'option "space"' in tree
        assert re.findall(r'option "(.+?)" \[selected\]', tree) == ["&"]
        hint = visit.tab.locator(".rn-gradient-hint")
        assert hint.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["light", "dark"])
def test_it_fits_a_phone_and_nothing_moves(chromium, served, name):
    with Visit(chromium, served, f"{name}.html", width=360) as visit:
        tab = visit.tab
        place = "document.querySelector('details').getBoundingClientRect().top"
        before = tab.evaluate(place)
        for t in (0, 1, N - 1):
            span(visit, t).hover()
            assert tab.evaluate(place) == before
        tab.locator("summary").click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert visit.complaints == visit.foreign == []


@pytest.mark.browser
def test_without_scripts_the_row_of_start_and_the_table_are_there(chromium, served):
    with Visit(chromium, served, "light.html", scripts=False) as visit:
        tab = visit.tab
        live = tab.locator("[aria-live=polite]")
        assert live.inner_text() == SHOWN.describe(START)
        classes = [span(visit, t).get_attribute("class").split()[0] for t in range(N)]
        assert classes == [f"rn-heat-{level}" for level in SHOWN.levels[START]] + ["rn-later"] * (
            N - START - 1
        )
        assert tab.locator("pre [tabindex], [role=listbox]").count() == 0
        assert tab.locator(".rn-gradient-hint").is_hidden()
        assert tab.locator("table").is_hidden()
        tab.locator("summary").click()
        assert tab.locator("tbody tr").count() == 9
        assert tab.locator("tbody tr").last.is_visible()


@pytest.mark.browser
def test_a_page_without_such_a_text_is_left_alone(chromium, served):
    with Visit(chromium, served, "without.html") as visit:
        assert visit.complaints == []
        assert visit.tab.locator("main").inner_html().count("<p>None.</p>") == 1
        assert visit.tab.locator("[role], [tabindex]").count() == 0


@pytest.mark.browser
def test_a_text_that_comes_in_later_is_enlivened_once(chromium, served):
    """As where Material changes pages by itself: it tells of each, and of the first one again."""
    with Visit(chromium, served, "without.html") as visit:
        tab = visit.tab
        tab.evaluate("""() => { window.document$ = { subscribe(f) { window.tell = f; f(); } }; }""")
        tab.add_script_tag(url=served + "assets/rnnnotes.js")
        tab.evaluate("html => document.querySelector('main').innerHTML = html", SHOWN._repr_html_())
        tab.evaluate("() => { tell(); tell(); }")
        span(visit, 3).focus()
        tab.keyboard.press("ArrowRight")
        assert shows(visit, 4)["focused"] == 4
