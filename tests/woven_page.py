"""Small pages, outputs as a kernel sends them, and Markdown rendered as the site renders it."""

import html
import io
import re
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import markdown
import matplotlib
import yaml
from lxml import etree

from rnnnotes.site.blocks import PageSource, parse_page
from rnnnotes.site.weave import Weaver
from rnnnotes.training.ledger import MIME, Verdict

matplotlib.use("agg")

REPOSITORY = Path(__file__).resolve().parents[1]
KERNEL = """\
jupyter:
  jupytext: {text_representation: {extension: .md, format_name: markdown}}
  kernelspec: {display_name: Python 3, language: python, name: python3}
"""
BLOCK_ELEMENTS = {
    *("address blockquote details dialog div dl fieldset figcaption figure footer form".split()),
    *("h1 h2 h3 h4 h5 h6 header hr main nav ol p pre section table ul".split()),
}


def page(body: str, head: str = "", name: str = "part/page") -> PageSource:
    """A page with a kernel; ``body`` is dedented."""
    return parse_page(f"---\n{head}{KERNEL}---\n{dedent(body)}", f"docs/{name}.md", name)


def line_of(source: PageSource, needle: str) -> int:
    """The line, from 1, of the first line of the page that holds a text."""
    lines = source.text.split("\n")
    return next(number for number, line in enumerate(lines, 1) if needle in line)


# ---- outputs ----------------------------------------------------------------------------------


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def display(mime: str, data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {mime: data}, "metadata": {}}


def result(text: str, **data: Any) -> dict[str, Any]:
    return {
        "output_type": "execute_result",
        "data": {"text/plain": text, **{k.replace("_", "/"): v for k, v in data.items()}},
        "metadata": {},
        "execution_count": None,
    }


def verdict(settled: Verdict) -> dict[str, Any]:
    bundle = {MIME: settled.record(), "text/plain": repr(settled), "text/markdown": "shown twice"}
    return {**result(""), "data": bundle}


def svg_of(figure: Any, salt: str = "page-1") -> str:
    """A figure as the kernel saves it."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


@cache
def small_figure(text: str = "a title") -> dict[str, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([1, 3, 2], marker="o")
    axes.set_title(text)
    return display("image/svg+xml", svg_of(figure))


# ---- weaving and rendering --------------------------------------------------------------------


def weave(body: str, outputs=(), values=None, statements=None, root=REPOSITORY, **more):
    """The woven Markdown of a page with these outputs of its blocks."""
    run = {"outputs": list(outputs), "values": values or {}}
    weaver = Weaver(page(body), run, root, statements or {}, lambda _, make: make(), **more)
    return weaver.weave()


@cache
def _extensions() -> tuple[list[str], dict[str, Any]]:
    config = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))
    options: dict[str, Any] = {}
    for extension in config["markdown_extensions"]:
        options |= extension if isinstance(extension, dict) else {extension: {}}
    return list(options), {name: given or {} for name, given in options.items()}


def render(text: str) -> etree._Element:
    """The HTML of Markdown, by the site's own extensions.

    It is read as XML, so that an element that is closed in the wrong place is an error; and a
    block inside of a paragraph, which a browser would tear apart, is one too.
    """
    names, options = _extensions()
    out = markdown.markdown(text, extensions=names, extension_configs=options)
    known = {"lt", "gt", "amp", "quot", "apos"}
    plain = re.sub(
        r"&(\w+);", lambda match: match[0] if match[1] in known else html.unescape(match[0]), out
    )
    root = etree.fromstring(f"<body>{plain}</body>")
    for paragraph in root.iter("p"):
        inner = {child.tag for child in paragraph.iter(etree.Element) if child is not paragraph}
        assert not inner & BLOCK_ELEMENTS, etree.tostring(paragraph, encoding="unicode")[:500]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)), f"an id twice: {sorted(ids)}"
    return root


def text_of(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())
