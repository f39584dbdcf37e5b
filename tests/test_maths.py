"""Formulas typeset at build time: what a reader gets, and what Markdown must not touch."""

import html
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from rnnnotes.site.maths import MathError, typeset
from woven_page import REPOSITORY, render

CSS = (REPOSITORY / "docs/assets/rnnnotes.css").read_text("utf-8")
PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))

# One of every construction that a page on recurrent networks may want.
FORMULAS = (
    r"h_t = \tanh(W_{hh} h_{t-1} + W_{ih} x_t + b)",
    r"\frac{\partial h_T}{\partial h_t} = \prod_{k=t+1}^{T} W \operatorname{diag}(\sigma'(a_k))",
    r"\begin{aligned} i &= \sigma(W_i x + b_i) \\ f &= \sigma(W_f x + b_f) \end{aligned}",
    r"\begin{aligned} a &= b & c &= d \\ & & e &= f \end{aligned}",
    r"\begin{cases} x & x > 0 \\ \alpha x & \text{otherwise, say} \end{cases}",
    r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}",
    r"\begin{bmatrix} a & b & c \end{bmatrix}",
    r"\begin{vmatrix} a & b \\ c & d \end{vmatrix}",
    r"\left\| \frac{g}{\max(1, \lVert g \rVert)} \right\|_2 \le \theta",
    r"\lambda_{\max} < 1 \implies \rho(W)^k \to 0",
    r"\underbrace{W \cdots W}_{k} \quad \overline{x} \quad \hat{h} \quad \tilde{c}",
    r"\sqrt{n} \sum_{i=1}^{n} x_i^2 \int_0^1 f(x)\,dx",
    r"\mathbb{R}^{n \times n}, \mathcal{L}, \mathbf{W}, \mathrm{sign}, \boldsymbol{\theta}",
    r"a \odot b \otimes c \circ d",
    r"x \in \{0, 1\}, \; y \notin A",
    r"\lvert x \rvert \neq \lfloor y \rfloor",
    r"f'(x) = 1 - \tanh^2 x",
    r"\log_{10} 10^{-3} = -3",
    r"\text{a-b} * c / d",
    r"\begin{array}{lcr} a & b & c \\ d & e & f \end{array}",
    r"\begin{array}{r|l} a & b \\ \hline c & d \end{array}",
    r"\boxed{E}",
    r"\binom{n}{k} \bmod 2",
    r"\begin{gathered} a \\ b + c \end{gathered}",
    r"\phantom{x} y",
)


def parts(latex: str, display: bool) -> etree._Element:
    return parse(typeset(latex, display))


def parse(out: str) -> etree._Element:
    known = re.sub(r"&([A-Z]\w+);", lambda match: html.unescape(match[0]), out)
    return etree.fromstring(known)


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("latex", FORMULAS)
def test_a_formula_is_mathml_in_one_line_without_style(latex, display):
    out = typeset(latex, display)
    root = parts(latex, display)
    assert root.tag == "span" and root.get("class") == ("rn-display" if display else "rn-math")
    (math,) = root
    assert math.tag == "math" and (math.get("display") == "block") == display
    assert "".join(math.itertext()).strip()
    assert "\n\n" not in out and " style=" not in out and "merror" not in out
    assert not root.xpath("//@*[contains(., 'http')]")


@pytest.mark.parametrize("latex", FORMULAS)
def test_every_class_that_a_formula_has_is_in_the_style_sheet(latex):
    for display in (False, True):
        for names in parts(latex, display).xpath(".//math/descendant-or-self::*/@class"):
            for name in names.split():
                assert not name.startswith("rn-m-") or re.search(rf"\.{name}\b", CSS), name


def test_every_formula_class_of_the_style_sheet_does_what_its_name_says():
    rules = re.findall(r"\.rn-m-([\w-]+)\s*\{([^}]*)\}", CSS)
    assert rules
    for name, body in rules:
        words = re.sub(r"[^a-z0-9]+", "-", body.strip().rstrip(";")).strip("-")
        assert words == name


@pytest.mark.parametrize("latex", FORMULAS)
def test_text_of_a_formula_holds_no_punctuation_that_markdown_could_read(latex):
    for text in re.findall(r">([^<]*)<", typeset(latex, False)):
        bare = re.sub(r"&#?\w+;", "", text)
        assert not re.search(r"[!-/:-@\[-`{-~]", bare), text


@pytest.mark.parametrize("latex", FORMULAS)
def test_markdown_leaves_a_formula_as_it_is(latex):
    """Between what would make it a link, an emphasis, a footnote or a cell of a table."""
    out = typeset(latex, False)
    root = render(f"_A_ {out} *and* [x] {out} **[^1]**.\n\n[^1]: {out}\n\n|a|b|\n|-|-|\n|{out}|1|")
    same = etree.tostring(parts(latex, False)[0], method="c14n2")
    found = list(root.iter("math"))
    assert len(found) == 4
    for math in found:
        math.tail = None
        assert etree.tostring(math, method="c14n2") == same
    assert len(root.findall(".//td")) == 2


def test_what_must_line_up_is_a_table_that_does():
    aligned = parts(FORMULAS[2], True)
    assert [len(row) for row in aligned.iter("mtr")] == [2, 2]
    cells = [cell.get("class", "") for cell in aligned.iter("mtd")]
    assert "right" in cells[0] or "end" in cells[0]
    assert "left" in cells[1] or "start" in cells[1]
    cases = parts(FORMULAS[4], True)
    assert [len(row) for row in cases.iter("mtr")] == [2, 2]
    assert "{" in "".join(cases.itertext())
    assert "otherwise, say" in "".join(cases.itertext()).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("left", "right"), [("pmatrix", "()"), ("bmatrix", "[]"), ("vmatrix", "||"), ("Bmatrix", "{}")]
)
def test_a_matrix_has_its_rows_and_its_brackets(left, right):
    root = parts(rf"\begin{{{left}}} 1 & 2 \\ 3 & 4 \end{{{left}}}", True)
    assert [["".join(cell.itertext()) for cell in row] for row in root.iter("mtr")] == [
        ["1", "2"],
        ["3", "4"],
    ]
    text = "".join(root.itertext()).strip()
    assert text[0] + text[-1] == right


@pytest.mark.parametrize(
    "latex",
    [
        r"\color{red}{x}",
        r"\frac{1}{",
        r"\nosuchcommand x",
        r"\begin{aligned} a",
        r"\left( x",
        "a & b",
        "x^2^3",
        "}",
    ],
)
def test_an_error_names_the_formula(latex):
    with pytest.raises(MathError) as caught:
        typeset(f"  {latex} ", True)
    assert repr(latex) in str(caught.value)
    assert len(str(caught.value)) > len(latex) + 30


def test_one_formula_leaves_nothing_behind_for_the_next():
    before = typeset(r"x = 1", True)
    for latex in (r"\newcommand{\x}{y} \x", r"\begin{align} a &= b \end{align}", r"\frac{"):
        try:
            typeset(latex, True)
        except MathError:
            continue
    assert typeset.__wrapped__(r"x = 1", True) == before


pieces = st.sampled_from(
    r"a b 1 + - = < > | * _ ^ { } [ ] ( ) & ' , . ! / : ~ # % $ @ ` \" é → \\ \alpha \frac \sqrt"
    r" \text \left \right \tanh \{ \hat \begin{aligned} \end{aligned} &amp;".split(" ")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=8), st.booleans())
def test_whatever_is_written_comes_out_well_formed_or_is_an_error(latex, display):
    try:
        out = typeset(" ".join(latex), display)
    except MathError:
        return
    root = parse(out)
    assert " style=" not in out and "\n\n" not in out
    for text in re.findall(r">([^<]*)<", out):
        assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"&#?\w+;", "", text)), text
    assert root[0].tag == "math"


def test_formulas_of_the_pages_are_typeset():
    """Those in display; the inline ones are the weaver's to find."""
    found = [
        (page.name, latex)
        for page in PAGES
        for latex in re.findall(r"^ *\$\$(.+?)\$\$", page.read_text("utf-8"), re.S | re.M)
    ]
    assert found or not any("$$" in Path(page).read_text("utf-8") for page in PAGES)
    for name, latex in found:
        root = parts(latex, True)
        for names in root.xpath(".//math/descendant-or-self::*/@class"):
            for one in names.split():
                assert not one.startswith("rn-m-") or f".{one}" in CSS, (name, one)
