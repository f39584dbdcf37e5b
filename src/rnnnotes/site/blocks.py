"""A page read: its front matter, its prose, its fences, and the values computed inside prose.

A page is a jupytext Markdown notebook. This file knows the grammar and nothing else: it runs
nothing and draws nothing. The grammar:

- a ``python`` fence is a block; ``tags=["hide-input"]`` in its info line hides the code,
  ``tags=["fold"]`` folds it;
- lines ``#| name: value`` at the head of a block are its options (YAML): ``caption``,
  ``description`` (lists when the block draws several figures), ``label``;
- `` `{python} expr` `` in prose, a caption or a description is a computed value;
- a fence that holds ``--8<-- "file:section"`` shows a named section of a file;
- a ``python .noeval reason="…"`` fence is not run, and says why.
"""

import ast
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from rnnnotes.site.errors import PageError

TAGS = ("hide-input", "fold")
OPTIONS = ("caption", "description", "label")

_FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
# Every way to say that a fence holds Python; this grammar admits the first.
_PYTHON = r"\{?\s*\.?(?:i?python(?:[\d.]+|-repl)?|py[23]?|pycon[23]?)(?![\w+#.-])"
_LANGUAGE = re.compile(_PYTHON, re.IGNORECASE)
# A fence that Markdown knows behind a quote mark, a bullet or a tab, and this grammar does not.
_HIDDEN = re.compile(
    rf"[>\s]*(?:(?:[-*+]|\d+[.)])\s+)*[>\s]*(?:`{{3,}}|~{{3,}})\s*{_PYTHON}[^`]*$",
    re.IGNORECASE,
)
_INCLUDE = re.compile(r'^\s*--8<--\s+"(?P<file>[^":]+)(?::(?P<section>[^"]+))?"\s*$')
_TAGS = re.compile(r"\btags=(\[[^\]]*\])")
_REASON = re.compile(r'\breason="([^"]+)"')
# A code span, so that nothing inside one is taken for anything else.
SPAN = re.compile(
    r"(?<![`\\])(?P<ticks>`+)(?!`)(?P<body>(?:(?!\n[ \t]*\n).)+?)(?<!`)(?P=ticks)(?!`)", re.DOTALL
)
_VALUE = re.compile(r"^\{python\}\s+(?P<code>.+)$", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """``{python} expr`` and the line that it stands on."""

    code: str
    line: int


@dataclass(frozen=True)
class Fence:
    """A fenced piece of a page; ``line`` is that of its first inner line, from 1."""

    info: str
    source: str
    line: int
    indent: str
    tags: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    include: tuple[str, str] | None = None
    runs: bool = False

    @property
    def shown(self) -> str:
        """The code as the reader sees and copies it: without option lines."""
        lines = self.source.split("\n")
        while lines and lines[0].startswith("#|"):
            lines.pop(0)
        return "\n".join(lines)

    def option_list(self, name: str) -> list[str]:
        """An option that may be one text or a list of them."""
        value = self.options.get(name, [])
        items = value if isinstance(value, list) else [value]
        return ["" if item is None else str(item) for item in items]


@dataclass(frozen=True)
class Prose:
    """Text between fences; ``line`` is that of its first line."""

    text: str
    line: int


@dataclass(frozen=True)
class PageSource:
    """One page: ``path`` is what messages call it, ``name`` its path in docs without ending."""

    path: str
    name: str
    text: str
    meta: dict[str, Any]
    parts: tuple[Prose | Fence, ...]
    body_line: int

    @property
    def is_notebook(self) -> bool:
        """Whether the page has a kernel, and so is run."""
        return "kernelspec" in (self.meta.get("jupyter") or {})

    @property
    def measures_time(self) -> bool:
        return self.meta.get("measures") == "time"

    @cached_property
    def blocks(self) -> tuple[Fence, ...]:
        """The fences that are run, in order."""
        return tuple(part for part in self.parts if isinstance(part, Fence) and part.runs)

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Every computed value of the page, each expression once, in order."""
        found: dict[str, Value] = {}
        for part in self.parts:
            for value in part_values(part):
                found.setdefault(value.code, value)
        return tuple(found.values())

    def setting(self, name: str, default: Any) -> Any:
        """A setting of this page under ``rnnnotes:`` in its front matter."""
        return (self.meta.get("rnnnotes") or {}).get(name, default)


def part_values(part: Prose | Fence) -> list[Value]:
    """The computed values in a piece of prose, or in the captions of a block."""
    if isinstance(part, Prose):
        return text_values(part.text, part.line)
    texts = part.option_list("caption") + part.option_list("description")
    return [value for text in texts for value in text_values(text, part.line)]


def text_values(text: str, line: int) -> list[Value]:
    """The computed values in a text that starts on ``line``."""
    found = []
    for match in SPAN.finditer(text):
        value = _VALUE.match(match["body"])
        if value:
            at = line + text.count("\n", 0, match.start())
            found.append(Value(" ".join(value["code"].split()), at))
    return found


def value_code(body: str) -> str | None:
    """The expression, if the body of a code span is a computed value."""
    match = _VALUE.match(body)
    return " ".join(match["code"].split()) if match else None


def read_page(file: Path, docs: Path, root: Path) -> PageSource:
    """Reads a page from disk. ``PageError`` names what is wrong, and on which line."""
    path = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    name = file.relative_to(docs).with_suffix("").as_posix()
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PageError(path, line, f"expected UTF-8 text, got {error.reason}") from None
    return parse_page(text, path, name)


@lru_cache(maxsize=256)  # a preview reads all pages after every save
def parse_page(text: str, path: str, name: str) -> PageSource:
    """Reads the text of a page."""
    meta, body_line = _front_matter(text, path)
    lines = text.split("\n")
    parts: list[Prose | Fence] = []
    prose_from = at = body_line - 1
    while at < len(lines):
        match = _FENCE.match(lines[at])
        if not match:
            if _HIDDEN.match(lines[at]):
                raise PageError(
                    path,
                    at + 1,
                    "a Python fence that nothing runs: expected it on a line of its own, "
                    "indented by spaces only",
                )
            at += 1
            continue
        end = _closing(lines, at, match)
        if end is None:
            raise PageError(path, at + 1, "this fence is never closed")
        if at > prose_from:
            parts.append(Prose("\n".join(lines[prose_from:at]), prose_from + 1))
        parts.append(_fence(match, lines[at + 1 : end], at + 2, path))
        at = prose_from = end + 1
    if prose_from < len(lines):
        parts.append(Prose("\n".join(lines[prose_from:]), prose_from + 1))
    page = PageSource(path, name, text, meta, tuple(parts), body_line)
    _check(page)
    return page


def _front_matter(text: str, path: str) -> tuple[dict[str, Any], int]:
    if not text.startswith("---\n"):
        return {}, 1
    end = text.find("\n---\n", 3)
    if end < 0:
        raise PageError(path, 1, "the front matter opens with --- and is never closed")
    try:
        meta = yaml.safe_load(text[4:end]) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        problem = getattr(error, "problem", None) or str(error)
        raise PageError(path, line, f"the front matter is no YAML: {problem}") from None
    if not isinstance(meta, dict):
        raise PageError(path, 2, f"expected front matter of names and values, got {meta!r}")
    _check_meta(meta, text, path)
    return meta, text.count("\n", 0, end + 5) + 1


def _check_meta(meta: dict[str, Any], text: str, path: str) -> None:
    """A kernel that cannot be run, and settings of the wrong kind, fail before anything runs."""
    jupyter = meta.get("jupyter")
    if jupyter is None:
        return
    line = _line_of(text, "jupyter:")
    kernel = jupyter.get("kernelspec") if isinstance(jupyter, dict) else None
    if not isinstance(kernel, dict) or kernel.get("language") != "python":
        raise PageError(
            path, line, f"expected jupyter.kernelspec with language: python, got {kernel!r}"
        )
    if kernel.get("name") != "python3":
        raise PageError(
            path,
            _line_of(text, "kernelspec:"),
            f"expected the kernel python3, which every Jupyter has, got {kernel.get('name')!r}",
        )
    settings = meta.get("rnnnotes") or {}
    if not isinstance(settings, dict):
        raise PageError(
            path, _line_of(text, "rnnnotes:"), f"expected names and values, got {settings!r}"
        )
    limit = settings.get("time_limit", 1)
    if not isinstance(limit, (int, float)) or not limit > 0:
        raise PageError(
            path, _line_of(text, "time_limit:"), f"expected seconds as time_limit, got {limit!r}"
        )


def _line_of(text: str, needle: str) -> int:
    at = text.find(needle)
    return text.count("\n", 0, max(at, 0)) + 1


def _closing(lines: list[str], start: int, opening: re.Match[str]) -> int | None:
    mark = opening["mark"]
    # Deeper by four or more, it is a line of the code.
    deepest = len(opening["indent"]) + 3
    close = re.compile(rf"^ {{0,{deepest}}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
    for at in range(start + 1, len(lines)):
        if close.match(lines[at]):
            return at
    return None


def _fence(opening: re.Match[str], inner: list[str], line: int, path: str) -> Fence:
    indent, info = opening["indent"], opening["info"].strip()
    width = len(indent)
    source = "\n".join(
        text[width:] if text[:width].isspace() or not width else text.lstrip() for text in inner
    )
    includes = [_INCLUDE.match(text) for text in inner]
    if any(includes):
        if len([text for text in inner if text.strip()]) != 1:
            raise PageError(path, line, "expected one --8<-- line alone in its fence")
        match = next(found for found in includes if found)
        return Fence(info, source, line, indent, include=(match["file"], match["section"] or ""))
    language = _LANGUAGE.match(info)
    if not language:
        return Fence(info, source, line, indent)
    if language[0] != "python":
        raise PageError(path, line - 1, f"expected the language python, got {language[0]!r}")
    if ".noeval" in info.split():
        reason = _REASON.search(info)
        if not reason:
            raise PageError(
                path, line - 1, 'a Python fence that is not run says why: .noeval reason="…"'
            )
        return Fence(info, source, line, indent, reason=reason[1])
    tags = _tags(info, line, path)
    return Fence(info, source, line, indent, tags, _options(source, line, path), runs=True)


def _tags(info: str, line: int, path: str) -> tuple[str, ...]:
    match = _TAGS.search(info)
    rest = _TAGS.sub("", info).split()[1:]
    if rest:
        raise PageError(
            path, line - 1, f'expected tags=["…"] or .noeval behind python, got {" ".join(rest)}'
        )
    try:
        tags = ast.literal_eval(match[1]) if match else []
    except (SyntaxError, ValueError):
        raise PageError(path, line - 1, f'expected tags=["…"], got {match[0]}') from None
    for tag in tags:
        if tag not in TAGS:
            raise PageError(path, line - 1, f"expected a tag of {', '.join(TAGS)}, got {tag!r}")
    return tuple(tags)


def _options(source: str, line: int, path: str) -> dict[str, Any]:
    head = []
    for text in source.split("\n"):
        if not text.startswith("#|"):
            break
        head.append(text[2:].removeprefix(" "))
    if not head:
        return {}
    try:
        options = yaml.safe_load("\n".join(head)) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = line + (mark.line if mark else 0)
        problem = getattr(error, "problem", None) or str(error)
        raise PageError(path, at, f"the #| options are no YAML: {problem}") from None
    if not isinstance(options, dict):
        raise PageError(path, line, f"expected #| name: value, got {options!r}")
    for name in options:
        if name not in OPTIONS:
            raise PageError(path, line, f"expected an option of {', '.join(OPTIONS)}, got {name!r}")
    return options


def _check(page: PageSource) -> None:
    for value in page.values:
        try:
            ast.parse(value.code, mode="eval")
        except SyntaxError as error:
            raise PageError(
                page.path, value.line, f"{value.code!r} is no expression: {error.msg}"
            ) from None
    if page.is_notebook:
        return
    if page.values:
        value = page.values[0]
        raise PageError(
            page.path, value.line, "a computed value needs a kernel in the page's front matter"
        )
    if page.blocks and page.path.startswith("docs"):
        raise PageError(
            page.path,
            page.blocks[0].line - 1,
            "a Python fence that nothing runs: give the page a kernel, or write "
            '.noeval reason="…" behind python',
        )
