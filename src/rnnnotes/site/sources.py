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
        return _shown(lines, 0, len(lines))
    try:
        tree = ast.parse(text) if path.suffix == ".py" else ast.Module([], [])
    except SyntaxError as error:
        raise SectionError(f"{file}:{error.lineno}: {error.msg}") from None
    marks = [(match[1], at) for at, line in enumerate(lines) if (match := _mark(line, name))]
    if marks:
        if [kind for kind, _ in marks] != ["start", "end"]:
            raise SectionError(f"{file}: expected one [start:{name}] and after it one [end:{name}]")
        return _shown(lines, marks[0][1], marks[1][1])
    start, end = _defined(tree, name)
    if start is None:
        known = ", ".join(_known(tree, text)) or "none"
        raise SectionError(f"{file} has no section {name!r}; it has: {known}")
    return _shown(lines, start, end)


def _mark(line: str, name: str) -> re.Match[str] | None:
    match = _MARK.search(line)
    return match if match and match[2] == name else None


def _shown(lines: list[str], start: int, end: int) -> tuple[str, int]:
    """The text between two lines without marks, and the line where it really begins."""
    kept = [(at + 1, lines[at]) for at in range(start, end) if not _MARK.search(lines[at])]
    first = next((at for at, line in kept if line.strip()), start + 1)
    return textwrap.dedent("\n".join(line for _, line in kept)).strip("\n"), first


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
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def _known(tree: ast.Module, text: str) -> list[str]:
    names = [match[2] for match in _MARK.finditer(text) if match[1] == "start"]
    return names + [name for node in tree.body for name in _names(node)]
