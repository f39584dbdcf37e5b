"""The corpus, six pages kept as Markdown notebooks, as each of the tools wants to read it.

Each function takes a page as ours is read and gives the text of the same page for one tool: the
same prose, the same blocks in the same order, the same figures. The prose of the corpus is plain
(headings and paragraphs), so that it says the same in reStructuredText.
"""

import re

from rnnnotes.site.blocks import Fence, PageSource

HEAD = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
# markdown-exec shows what a block prints; these lines of it are not shown.
DRAWN = """\
import io as _io  # markdown-exec: hide
_file = _io.StringIO()  # markdown-exec: hide
plt.savefig(_file, format="svg")  # markdown-exec: hide
plt.close("all")  # markdown-exec: hide
print(_file.getvalue())  # markdown-exec: hide"""


def draws(block: Fence) -> bool:
    """Whether a figure comes out of a block; none of the corpus draws more than one."""
    return "caption" in block.options


def notebook(page: PageSource) -> str:
    """For ours and for mkdocs-jupyter: the page as it is."""
    return page.text


def markdown_exec(page: PageSource) -> str:
    def fence(block: Fence) -> str:
        how = f'python exec="on" session="{page.name}" source="above"'
        if draws(block):
            return f'```{how} html="on"\n{block.shown}\n{DRAWN}\n```\n'
        return f'```{how} result="text"\n{block.shown}\n```\n'

    return _joined(page, fence)


def myst(page: PageSource) -> str:
    return HEAD + _joined(page, lambda block: f"```{{code-cell}} python\n{block.shown}\n```\n")


def gallery(page: PageSource) -> str:
    """A script; what stands above its first block is its docstring."""
    head, *rest = page.parts
    out = [f'"""{_rst(head.text)}\n"""\n']
    for part in rest:
        if isinstance(part, Fence):
            out.append(f"# %%\n\n{part.shown}\n")
        elif part.text.strip():
            lines = _rst(part.text).strip("\n").split("\n")
            out.append("\n".join(["# %%", *(f"# {line}".rstrip() for line in lines)]) + "\n")
    # Two cells that follow each other are one where the second has no text: that is as it should.
    return "\n".join(out)


def _joined(page: PageSource, fence) -> str:
    return "\n".join(fence(p) if isinstance(p, Fence) else p.text for p in page.parts)


def _rst(text: str) -> str:
    """Headings underlined."""

    def heading(match: re.Match[str]) -> str:
        mark = "=" if len(match[1]) == 1 else "-"
        return f"{match[2]}\n{mark * len(match[2])}"

    return re.sub(r"^(#{1,2}) (.+)$", heading, text, flags=re.MULTILINE)
