"""From a page and its outputs to Markdown, and from that, by the site's extensions, to HTML."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import rnnnotes as rn
from rnnnotes.site.blocks import parse_page
from rnnnotes.site.errors import PageError
from rnnnotes.site.statements import Statement
from rnnnotes.site.weave import Weaver, escape_markdown, recorded
from woven_page import (
    REPOSITORY,
    display,
    line_of,
    page,
    render,
    result,
    small_figure,
    stream,
    text_of,
    verdict,
    weave,
)

SVG = "{http://www.w3.org/2000/svg}"
STATEMENTS = {
    name: Statement(
        name, "claim", "part/page", f"The note says <b> {name} costs $5 | *or* so.", "…"
    )
    for name in ("A3", "A7", "B1")
}
SETTLED = rn.Claim("A3", "ratio", below=1).settle(
    {"tanh | relu": [0.5, 2.0], "linear": [float("inf"), float("nan")]},
    because="The norm $\\|g\\|$ *shrinks*.",
)


def html_of(body: str, outputs=(), values=None, **more) -> etree._Element:
    return render(weave(body, outputs, values, STATEMENTS, **more).markdown)


def by_class(root: etree._Element, name: str) -> list[etree._Element]:
    return root.xpath(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]")


def codes(root: etree._Element) -> list[str]:
    """The code of a page as a reader copies it."""
    return ["".join(code.itertext()).rstrip("\n") for code in root.iter("code")]


# ---- blocks and their outputs -----------------------------------------------------------------


def test_code_is_shown_once_above_what_it_printed():
    root = html_of(
        "# T\n\n```python\n#| label: x\nx = 1\n\nprint(x)\n```\n\nAfter.", [[stream("1\n\n2\n")]]
    )
    assert codes(root) == ["x = 1\n\nprint(x)", "1\n\n2"]
    code, output = root.findall(".//pre")
    assert "rn-output" in output.getparent().get("class")
    assert "rn-output" not in code.getparent().get("class")
    assert text_of(root.findall("p")[-1]) == "After."


def test_hidden_and_folded_code():
    body = (
        '```python tags=["hide-input"]\nsecret = 1\n```\n\n'
        '```python tags=["fold"]\nplumbing = 1\n```'
    )
    root = html_of(body, [[stream("seen\n")], [stream("seen, too\n")]])
    assert codes(root) == ["seen", "plumbing = 1", "seen, too"]
    (details,) = root.iter("details")
    assert "open" not in details.attrib
    assert [text_of(code) for code in details.iter("code")] == ["plumbing = 1"]


@pytest.mark.parametrize(
    "printed",
    ["```\nfence\n```", "````", "<b>not bold</b>", "$x$ `{python} y`", "| a | b |", "# t", "    i"],
)
def test_what_is_printed_is_shown_as_it_is(printed):
    for body in ("```python\nx\n```", "!!! note\n\n    ```python\n    x\n    ```\n\n    after"):
        assert codes(html_of(body, [[stream(printed + "\n")]])) == ["x", printed]


def test_a_block_that_prints_nothing_has_no_output():
    for outputs in ([], [stream("\n")], [result("")]):
        assert codes(html_of("```python\nx\n```", [outputs])) == ["x"]


def test_a_value_is_shown():
    assert codes(html_of("```python\nx\n```", [[result("tensor([1., 2.])")]])) == [
        "x",
        "tensor([1., 2.])",
    ]


def test_a_table_of_pandas_loses_its_style():
    frame = (
        "<div>\n<style scoped>\n .dataframe { color: red }\n</style>\n"
        '<table border="1" class="dataframe">\n'
        '<tr style="text-align: right;"><td>1 * 2 * 3</td></tr>'
        "</table>\n</div>"
    )
    for body in ("```python\nx\n```", "??? note\n\n    ```python\n    x\n    ```\n"):
        root = html_of(body, [[result("   a\n0  1", text_html=frame)]])
        (table,) = root.iter("table")
        assert text_of(table) == "1 * 2 * 3"
        assert by_class(root, "rn-html") and not root.xpath("//style | //@style | //@border")
        assert codes(root) == ["x"]


def test_markdown_as_output_is_markdown():
    root = html_of("```python\nx\n```", [[display("text/markdown", "is *so* and $x_1$")]])
    assert root.find(".//em").text == "so"
    assert root.find(".//math") is not None


@pytest.mark.parametrize(
    ("output", "message"), [("$\\frac{$", "cannot be typeset"), ("`{python} gone`", "gone")]
)
def test_markdown_as_output_that_cannot_be_woven_names_the_block(output, message):
    body = "A.\n\n```python\nx = 1\n```"
    with pytest.raises(PageError, match=message) as caught:
        weave(body, [[display("text/markdown", output)]])
    assert caught.value.line == line_of(page(body), "x = 1")


def test_a_fence_that_is_not_run_is_shown_without_its_reason():
    root = html_of('```python .noeval reason="a sketch"\nx ==\n```\n\n```text\n>>> y\n```')
    assert codes(root) == ["x ==", ">>> y"]
    assert "sketch" not in text_of(root)


# ---- sections of files ------------------------------------------------------------------------


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_section_is_shown_by_name_with_its_place(indent):
    head = "!!! note\n\n" if indent else ""
    body = (
        f'{head}{indent}```python .noeval\n{indent}--8<-- "src/rnnnotes/training/ledger.py:cite"\n'
    )
    root = html_of(body + f"{indent}```\n")
    (code,) = codes(root)
    source = (REPOSITORY / "src/rnnnotes/training/ledger.py").read_text("utf-8")
    assert code.startswith("def cite(statement") and code in source
    (title,) = by_class(root, "filename")
    line = 1 + source[: source.index("def cite(")].count("\n")
    assert text_of(title) == f"src/rnnnotes/training/ledger.py:{line}"


@pytest.mark.parametrize("name", ["src/nowhere.py", "src/rnnnotes/training/ledger.py:Claim.refuse"])
def test_a_missing_section_names_the_line(name):
    body = f'A.\n\n```python .noeval\n--8<-- "{name}"\n```'
    with pytest.raises(PageError, match=r"is not there|has no section 'Claim.refuse'") as caught:
        weave(body)
    assert caught.value.line == line_of(page(body), "--8<--")


# ---- figures ----------------------------------------------------------------------------------

ONE = r"""```python
#| caption: "Falls to `{python} x` as $k \\to \\infty$"
#| description: d `{python} y`
x
```"""
TWO = """```python
#| caption: [first, second]
#| description: [one, two]
#| label: [a-1, b-2]
x
```"""


def test_a_caption_holds_values_and_formulas_and_a_description_says_the_values():
    root = html_of(ONE, [[small_figure()]], {"x": "0.12", "y": "*3*"})
    (figure,) = root.iter("figure")
    caption = figure.find("figcaption")
    assert text_of(caption).startswith("Falls to 0.12 as k")
    assert caption.find(".//math") is not None
    assert figure.find(f".//{SVG}svg").get("aria-label") == "d *3*"
    assert figure.get("id") == "fig-1"


def test_two_figures_of_one_block():
    woven = weave(TWO, [[small_figure(), stream("between\n"), small_figure("other")]])
    root = render(woven.markdown)
    assert woven.figures == 2
    assert [(f.get("id"), text_of(f.find("figcaption"))) for f in root.iter("figure")] == [
        ("a-1", "first"),
        ("b-2", "second"),
    ]
    assert [svg.get("aria-label") for svg in root.iter(f"{SVG}svg")] == ["one", "two"]


def test_figures_are_counted_through_the_page_and_keep_their_ids_apart():
    block = "```python\n#| caption: c\n#| description: d\nx\n```\n\n"
    woven = weave(block * 3, [[small_figure()]] * 3)
    root = render(woven.markdown)  # no id twice: render looks
    assert woven.figures == 3
    assert [figure.get("id") for figure in root.iter("figure")] == ["fig-1", "fig-2", "fig-3"]


@pytest.mark.parametrize(
    ("options", "figures", "message"),
    [
        ("", 1, "figure 1 of this block has no caption: write #| caption: …"),
        ("#| caption: c", 1, "figure 1 of this block has no description: write #| description: …"),
        ("#| description: d", 1, "figure 1 of this block has no caption"),
        ('#| caption: c\n#| description: " "', 1, "figure 1 of this block has no description"),
        ("#| caption: c\n#| description:", 1, "figure 1 of this block has no description"),
        ("#| caption: c\n#| description: d", 2, "figure 2 of this block has no caption"),
        ("#| caption: [a, b]\n#| description: [a]", 2, "figure 2 of this block has no description"),
        (
            "#| caption: [a, b]\n#| description: [a, b]\n#| label: z",
            2,
            "figure 2 of this block has",
        ),
        ("#| caption: c\n#| description: d", 0, "1 captions or descriptions for 0 figures"),
        ("#| caption: [a, b]\n#| description: [a, b]", 1, "2 captions or descriptions for 1 fig"),
        ("#| caption: $\\frac{$\n#| description: d", 1, "cannot be typeset"),
    ],
)
def test_a_figure_without_its_texts_is_refused(options, figures, message):
    body = f"Words.\n\n```python\n{options}\ndraw()\n```\n"
    with pytest.raises(PageError, match=re.escape(message)) as caught:
        weave(body, [[small_figure()] * figures])
    assert str(caught.value).startswith("docs/part/page.md:")
    assert caught.value.line == line_of(page(body), "```python") + 1


def test_text_of_a_figure_is_not_read_as_markdown():
    odd = "a*b* [c](d) `e` $ | g_h_ <i> &amp; *[x]: y"
    for indent in ("", "    "):
        head = '=== "Tab"\n\n' if indent else ""
        body = "".join(f"{indent}{line}\n" for line in ONE.split("\n"))
        root = html_of(head + body, [[small_figure(odd)]], {"x": "1", "y": "2"})
        shown = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
        assert odd in shown


# ---- verdicts ---------------------------------------------------------------------------------


def test_a_verdict_is_a_box_with_the_note_the_word_and_the_measurement():
    root = html_of("```python\nx\n```", [[verdict(SETTLED)]])
    (box,) = by_class(root, "rn-verdict")
    assert (box.tag, box.get("id"), box.get("data-verdict")) == ("div", "A3", "fails")
    said = text_of(box)
    assert "The note says <b> A3 costs $5 | *or* so." in said
    assert "shown twice" not in text_of(root)
    assert box.find(".//em").text == "shrinks"
    assert box.find(".//math") is not None
    meant, link = box.findall(".//a")
    assert meant.get("href") == "../reference/statements.md#verdict-fails"
    assert link.get("href") == "../reference/statements.md#row-A3"
    rows = [[text_of(cell) for cell in row] for row in box.find(".//tbody")]
    assert rows == [
        ["tanh | relu", "1.25 (0.5 to 2)", "1 of 2"],
        ["linear", "nan (inf to inf)", "0 of 2"],
    ]
    assert "Measured: ratio. Threshold: below 1." in said


def test_a_citation_has_no_measurement():
    root = html_of("```python\nx\n```", [[verdict(rn.cite("B1", because="A source."))]])
    (box,) = by_class(root, "rn-verdict")
    assert box.get("data-verdict") == "cited"
    assert "Measured" not in text_of(box) and box.find(".//table") is None


def test_records_know_their_page_and_line():
    source = page("# T\n\n```python\nx = 1\n```\n\n```python\ny = 2\n```")
    run = {"outputs": [[stream("a")], [verdict(SETTLED), verdict(rn.cite("B1", because="b"))]]}
    found = recorded(source, run)
    assert [(record.id, record.page, record.line) for record in found] == [
        ("A3", "part/page", line_of(source, "y = 2")),
        ("B1", "part/page", line_of(source, "y = 2")),
    ]


# ---- inside of callouts and tabs --------------------------------------------------------------

NESTED = """
# Title

!!! note "Outer"

    Before.

    ```python
    #| caption: "in a note: $a_1$"
    #| description: d
    one
    ```

    Between.

    ??? question "Inner"

        ```python tags=["fold"]
        #| caption: deeper
        #| description: d
        two
        ```

        After, in the inner one.

    After, in the outer one.

=== "First"

    ```python
    #| caption: in a tab
    #| description: d
    three
    ```

=== "Second"

    - a list

        ```python
        four
        ```

Outside.
"""


def test_every_output_inside_of_callouts_and_tabs_stands_where_its_block_stands():
    frame = "<table><tr><td>cell</td></tr></table>"
    outputs = [
        [stream("p1\n"), small_figure(), verdict(rn.cite("A3", because="why *a*"))],
        [small_figure(), verdict(rn.Claim("A7", "q", above=1).settle([2.0])), stream("p2\n")],
        [result("t", text_html=frame), small_figure(), verdict(rn.cite("B1", because="$b$"))],
        [stream("p4\n"), result("t", text_html=frame)],
    ]
    woven = weave(NESTED, outputs, {}, STATEMENTS)
    root = render(woven.markdown)
    assert woven.figures == 3
    assert codes(root) == ["one", "p1", "two", "p2", "three", "four", "p4"]
    (outer,) = by_class(root, "admonition")
    (inner,) = outer.xpath(".//details[contains(@class, 'question')]")
    first, second = by_class(root, "tabbed-block")
    assert [f.get("id") for f in outer.iter("figure")] == ["fig-1", "fig-2"]
    assert [f.get("id") for f in inner.iter("figure")] == ["fig-2"]
    assert [f.get("id") for f in first.iter("figure")] == ["fig-3"]
    boxes = {box.get("id"): box for box in by_class(root, "rn-verdict")}
    assert boxes.keys() == {"A3", "A7", "B1"}
    assert inner in boxes["A7"].iterancestors() and inner not in boxes["A3"].iterancestors()
    assert boxes["A7"].get("data-verdict") == "holds" and boxes["A7"].find(".//table") is not None
    assert boxes["B1"].find(".//math") is not None
    assert [text_of(t) for t in second.iter("td")] == ["cell"]
    assert second.xpath(".//li//table")
    for figure in root.iter("figure"):
        assert figure.find(f".//{SVG}svg") is not None
        assert text_of(figure.find("figcaption"))
    assert outer.xpath(".//figcaption//*[local-name()='math']")
    assert text_of(root.findall("p")[-1]) == "Outside."
    assert "///" not in text_of(root) and "rn-" not in text_of(root)
    assert text_of(inner.findall("p")[-1]) == "After, in the inner one."


# ---- values -----------------------------------------------------------------------------------


def test_values_stand_in_prose_headings_tables_and_links():
    body = """
    # Falls to `{python} x`

    | a | b |
    | --- | --- |
    | `{python} x` | **`{python} x`** |

    See [`{python} x`](other.md), not `` `{python} x` `` nor `x`.
    """
    root = html_of(body, (), {"x": "0.5"})
    assert text_of(root.find("h1")).startswith("Falls to 0.5")
    assert [text_of(cell) for cell in root.iter("td")] == ["0.5", "0.5"]
    assert root.find(".//td/strong").text == "0.5"
    assert text_of(root.find(".//a[@href='other.md']")) == "0.5"
    assert codes(root) == ["`{python} x`", "x"]


# ---- formulas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "formulas", "shown"),
    [
        ("is $x$.", 1, "is x."),
        ("$x$, $y$ and $z$", 3, "x, y and z"),
        ("$$x$$", 1, "x"),
        ("$$\nx\n$$", 1, "x"),
        ("a $$x$$ b", 1, "a x b"),
        ("($x$)", 1, "(x)"),
        ("*$x$*", 1, "x"),
        ("$5$", 1, "5"),
        # Money.
        ("It costs $5.", 0, "It costs $5."),
        ("from $5 to $6", 0, "from $5 to $6"),
        ("$5, $6 or $7", 0, "$5, $6 or $7"),
        ("US$5 and US$6", 0, "US$5 and US$6"),
        ("5$ and 6$ more", 0, "5$ and 6$ more"),
        ("$x$ costs $5", 1, "x costs $5"),
        ("\\$x\\$", 0, "$x$"),
        ("\\$5 or $x$", 1, "$5 or x"),
        ("$ x $", 0, "$ x $"),
        ("a $ b", 0, "a $ b"),
        ("a $x\nb$ c", 0, "a $x b$ c"),
        # What is code or a comment stays.
        ("`$x$`", 0, "$x$"),
        ("`` `$x$` ``", 0, "`$x$`"),
        ("a `$` b `$` c", 0, "a $ b $ c"),
        ("<!-- $\\frac{$ -->", 0, ""),
        ("```text\n$x$\n```", 0, "$x$"),
        ("```python\n$x$\n```", 0, "$x$"),
        ("```text\n$$\n```\n\n$x$", 1, "$$ x"),
    ],
)
def test_where_a_formula_is_and_where_it_is_not(text, formulas, shown):
    root = html_of(text, [[]] * text.count("```python"))
    for links in root.xpath("p[a[contains(@class, 'rn-download')]]"):
        root.remove(links)
    assert len(list(root.iter("math"))) == formulas
    assert text_of(root) == shown


@pytest.mark.parametrize(
    ("body", "needle"),
    [
        ("one\n\ntwo $\\frac{$ three", "two"),
        ("one\ntwo\n`three`\n<!-- four\n-->\nfive $x$ and\n$\\wrong$", "\\wrong"),
        ("one\n\n$$\na\n\\wrong\n$$", "$$"),
        ("```python\nx\n```\n\n!!! note\n\n    $\\wrong$", "\\wrong"),
    ],
)
def test_a_bad_formula_names_its_line(body, needle):
    with pytest.raises(PageError, match=r"the formula .* cannot be typeset") as caught:
        weave(body, [[]])
    assert caught.value.line == line_of(page(body), needle)


# ---- downloads, markers, pages without a kernel -----------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "# Title\n\nText.\n\n```python\n# a comment\nx\n```",
        "```python\n# a comment\nx\n```\n\n# Title\n\nText.",
        "```python\n# a comment\nx\n```\n\nText.",
        "Text.\n\n```python\n# a comment\nx\n```",
    ],
)
def test_the_downloads_stand_under_the_title_and_never_in_code(body):
    root = html_of(body, [[]])
    links = by_class(root, "rn-download")
    assert [(a.get("href"), a.get("download")) for a in links] == [
        ("page.ipynb", "page.ipynb"),
        ("page.py", "page.py"),
    ]
    assert codes(root) == ["# a comment\nx"]
    before = links[0].getparent().getprevious()
    assert before is None or before.tag == "h1"
    assert root.find("h1") is None or before.tag == "h1"


def test_a_page_without_a_kernel_is_woven_too():
    source = parse_page(
        '# T\n\n$x$ `y`\n\n```python .noeval reason="no"\na\n```\n',
        "docs/part/page.md",
        "part/page",
    )
    woven = Weaver(source, None, REPOSITORY, {}, lambda _, make: make()).weave()
    root = render(woven.markdown)
    assert codes(root) == ["y", "a"] and len(list(root.iter("math"))) == 1
    assert not by_class(root, "rn-download")


def test_markers_are_replaced_and_other_comments_stay():
    body = (
        "<!-- rnnnotes: table -->\n\n<!-- a comment with `{python} x` -->\n\n"
        "`<!-- rnnnotes: table -->`"
    )
    made = weave(body, generated={"table": lambda at: f"made for {at.name}"}, values={"x": "1"})
    assert "made for part/page" in made.markdown
    assert "<!-- a comment with `{python} x` -->" in made.markdown
    assert "`<!-- rnnnotes: table -->`" in made.markdown


def test_an_unknown_marker_names_its_line():
    body = "one\n\ntwo <!-- rnnnotes: nothing -->"
    with pytest.raises(PageError, match="expected a marker of a, b, got 'nothing'") as caught:
        weave(body, generated={"a": str, "b": str})
    assert caught.value.line == line_of(page(body), "two")


def test_what_is_slow_is_kept_by_all_that_it_is_made_from():
    kept = {}

    def memo(source, make):
        return kept.setdefault(source, make())

    def weave_with(options: str, figure) -> None:
        source = page(f"```python\n{options}\nx\n```")
        run = {"outputs": [[figure]], "values": {}}
        Weaver(source, run, REPOSITORY, {}, memo).weave()

    options = "#| caption: c\n#| description: d"
    weave_with(options, small_figure())
    weave_with(options.replace("caption: c", "caption: other"), small_figure())
    assert len(kept) == 1
    weave_with(options.replace("description: d", "description: other"), small_figure())
    weave_with(options + "\n#| label: mine", small_figure())
    weave_with(options, small_figure("another title"))
    assert len(kept) == 4


# ---- escaping ---------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("ab 1.-*_`~^=[](){}<>#|$&!:;\"'\\/é"), min_size=1, max_size=24).map(
        lambda text: " ".join(text.split())
    )
)
def test_escaped_text_shows_as_it_is_in_a_line_and_in_a_table(text):
    said = escape_markdown(text)
    # A text stands behind a link with attributes in a box; its braces must not add to them.
    (link,) = render(f"[x](#y){{ .z }} {said}").iter("a")
    assert (link.get("class"), link.get("href"), link.tail) == ("z", "#y", f" {text}")
    root = render(f"<b>x</b> {said} y\n\n| a | b |\n| - | - |\n| {said} z | c |")
    assert text_of(root.find("p")) == f"x {text} y".replace("  ", " ")
    cells = [text_of(cell) for cell in root.iter("td")]
    assert cells == [f"{text} z".strip(), "c"]


def test_every_statement_of_the_notes_can_be_shown():
    from rnnnotes.site.statements import read_statements

    rows = list(read_statements(REPOSITORY / "docs/statements.yml").values())
    table = "\n".join(f"| {row.id} | {escape_markdown(row.says)} |" for row in rows)
    root = render(f"| id | says |\n| --- | --- |\n{table}")
    shown = [[text_of(cell) for cell in row] for row in root.find(".//tbody")]
    assert shown == [[row.id, " ".join(row.says.split())] for row in rows]
