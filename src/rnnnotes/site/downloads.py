"""A page as something to take home: a Jupyter notebook with its outputs, and a script."""

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rnnnotes.site.blocks import Fence, PageSource, Prose
from rnnnotes.site.links import absolute

_CALLOUT = re.compile(
    r" *(?:(?:!!!|\?\?\?\+?) *(?P<kind>[\w-]*)[\w -]*|===[!+]? +(?=\"))"
    r'(?:"(?P<title>[^"]*)")? *$'
)
# A file or folder of the project, as the code of a page names it from its own folder; a record may
# lie below that.
_PROJECT_FILE = re.compile(r'"((?:\.\./)+[\w./-]+|[\w-]+/[\w./-]+\.json)"')
_BRING = """\
# The files of the project that this page reads, for where it is not in a copy of the project.
def bring(files, place):
    import os
    from pathlib import Path

    if all(Path(name).is_file() for name in files):
        return
    place = Path("files-of-rnnnotes", place)
    place.mkdir(parents=True, exist_ok=True)
    os.chdir(place)
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")


bring({{
{files}}}, {place!r})"""
NEEDED = (
    "This notebook is a page of rnnnotes. To run it, install the package in the environment of "
    "its kernel: `pip install .` in a copy of the project."
)


def notebook(
    page: PageSource,
    run: Mapping[str, Any],
    prose: Callable[[str], str],
    shown: Callable[[Fence], str],
    site_url: str = "",
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The page as a notebook (nbformat 4.5), the same bytes for the same page.

    Args:
        prose: puts the computed values into a piece of prose.
        shown: a fence that is not run, as Markdown.
        site_url: where links lead that on the site need no more than a path.
        files: what the page reads of the project (see ``project_files``).
    """
    cells: list[dict[str, Any]] = [_markdown(NEEDED)]
    if files:
        cells.append(_brought(files, page))
    outputs = iter(run["outputs"])
    text: list[str] = []
    callouts = _Callouts()
    count = 0

    def flush() -> None:
        joined = "\n".join(text).strip("\n")
        if joined.strip():
            cells.append(_markdown(joined))
        text.clear()

    for part in page.parts:
        if isinstance(part, Prose):
            text.append(callouts.plain(absolute(prose(part.text), page.name, site_url)))
        elif not part.runs:
            text.append(shown(part))
        else:
            flush()
            count += 1
            kept = [_placed(output, page.name, site_url) for output in next(outputs)]
            cells.append(_code(part, kept, count))
    flush()
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": page.meta["jupyter"]["kernelspec"],
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def project_files(page: PageSource, root: Path) -> dict[str, str]:
    """What a page's blocks name of the snippets and of ``docs/``, by a path from the page.

    Such as ``"../../x/y.py"``, or ``"x/y.json"`` below the page's own folder.

    Of a folder that is named so, the files in it. Returns their content, by that path.
    Others, such as the project's pins, stay at home: a page has to bear that they are not there.
    """
    here = (root / page.path).parent
    ours = [(root / folder).resolve() for folder in ("snippets", "docs")]
    found = {}
    for block in page.blocks:
        for name in _PROJECT_FILE.findall(block.source):
            place = here / name
            inside = [place] if place.is_file() else sorted(place.glob("*.*"))
            for file in inside:
                if file.is_file() and any(file.resolve().is_relative_to(top) for top in ours):
                    path = name if file == place else f"{name.rstrip('/')}/{file.name}"
                    found[path] = file.read_text("utf-8")
    return found


def to_json(book: Mapping[str, Any]) -> str:
    return json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def script(book: Mapping[str, Any]) -> str:
    """The notebook as a Python script in jupytext's percent format, without its outputs."""
    import jupytext
    import nbformat

    node = nbformat.from_dict({**book})
    return jupytext.writes(node, fmt="py:percent")


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(block: Fence, outputs: list[Mapping[str, Any]], count: int) -> dict[str, Any]:
    kept = []
    for output in outputs:
        output = dict(output)
        if output["output_type"] == "execute_result":
            output["execution_count"] = count
        kept.append(output)
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {"tags": list(block.tags)} if block.tags else {},
        "source": block.source,
        "outputs": kept,
    }


def _placed(output: Mapping[str, Any], page: str, site_url: str) -> Mapping[str, Any]:
    """An output whose Markdown, such as a verdict's reason, has links that lead to the site."""
    text = output.get("data", {}).get("text/markdown")
    if text is None:
        return output
    return {**output, "data": {**output["data"], "text/markdown": absolute(text, page, site_url)}}


def _brought(files: Mapping[str, str], page: PageSource) -> dict[str, Any]:
    """A block that brings the files along; in a copy of the project it does nothing."""
    source = _BRING.format(place=posixpath.dirname(page.path), files=_literals(files))
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"jupyter": {"source_hidden": True}},
        "source": source,
        "outputs": [],
    }


def _literals(files: Mapping[str, str]) -> str:
    """The mapping as Python that a person can read."""

    def literal(text: str) -> str:
        plain = "'''" not in text and not text.endswith(("'", "\\"))
        return f"r'''{text}'''" if plain else repr(text)

    return "".join(f"    {name!r}: {literal(text)},\n" for name, text in files.items())


class _Callouts:
    """Jupyter knows no callouts: their titles become bold lines, their content moves left."""

    def __init__(self) -> None:
        self.depth = 0

    def plain(self, text: str) -> str:
        lines = []
        for line in text.split("\n"):
            indent = len(line) - len(line.lstrip(" "))
            if line.strip():
                self.depth = min(self.depth, indent // 4)
            match = _CALLOUT.match(line)
            if match and indent == 4 * self.depth:
                self.depth += 1
                lines.append(f"**{match['title'] or (match['kind'] or 'note').capitalize()}**")
            else:
                lines.append(line[4 * self.depth :] if line.strip() else "")
        return "\n".join(lines)
