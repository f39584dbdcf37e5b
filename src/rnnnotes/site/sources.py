"""Named sections of the project's own files: what a page shows is what the tests test.

A section of a Python file is the qualified name of a function, class or method
(``LSTMCell.step``); in any file, it may be the lines between ``# --8<-- [start:name]`` and
``# --8<-- [end:name]``.
"""

import ast
import re
import textwrap
from pathlib import Path

_MARK = re.compile(r"--8<--\s+\[(start|end):([\w.-]+)\]")


class SectionError(LookupError):
    """A file or a section that is not there."""


def section(root: Path, file: str, name: str) -> tuple[str, int]:
    """The text of a section, or of the whole file, and its first line there.

    Raises:
        SectionError: no such file below ``root``, or no such section in it; says which there are.
    """
    path = (root / file).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise SectionError(f"expected a file of the project, got {file!r}, which is not there")
    text = path.read_text("utf-8")
    lines = text.split("\n")
    if not name:
        return _without_marks(lines), 1
    start, end = _marked(lines, name)
    if start is None and path.suffix == ".py":
        start, end = _defined(ast.parse(text), name)
    if start is None or end is None:
        known = ", ".join(_known(path, text)) or "none"
        raise SectionError(f"{file} has no section {name!r}; it has: {known}")
    return textwrap.dedent(_without_marks(lines[start:end])), start + 1


def _marked(lines: list[str], name: str) -> tuple[int | None, int | None]:
    found: dict[str, int] = {}
    for number, line in enumerate(lines):
        match = _MARK.search(line)
        if match and match[2] == name:
            found[match[1]] = number
    if len(found) < 2:
        return None, None
    return found["start"] + 1, found["end"]


def _defined(tree: ast.Module, name: str) -> tuple[int | None, int | None]:
    node: ast.AST = tree
    for part in name.split("."):
        inner = [child for child in getattr(node, "body", []) if part in _names(child)]
        if not inner:
            return None, None
        node = inner[0]
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return first - 1, node.end_lineno


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _known(path: Path, text: str) -> list[str]:
    names = [match[2] for match in _MARK.finditer(text) if match[1] == "start"]
    if path.suffix == ".py":
        names += [name for node in ast.parse(text).body for name in _names(node)]
    return names


def _without_marks(lines: list[str]) -> str:
    return "\n".join(line for line in lines if not _MARK.search(line)).strip("\n")
