"""The mutants of a file: mutmut's changes, one at a time, each with a name that lasts.

mutmut's own runner is not used: it leaves out properties, context managers and whatever stands
outside of functions, and ours can say which test noticed.
"""

import ast
import itertools
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIRED = Path(__file__).with_name("requirements.txt")
LIBRARY = REPOSITORY / ".cache" / "mutation" / "library"


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    ``function`` is the outermost function around the change, as ``Cell.forward``, or "" outside
    of functions, for defaults and for decorators. ``lines`` are those of the changed statement,
    or none if it runs when the file is imported.
    """

    file: str
    line: int
    where: str
    function: str
    lines: tuple[int, ...]
    old: str
    new: str
    number: int
    source: str

    @property
    def key(self) -> str:
        """It names the change, not its line, which moves with every edit above it."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.file} {self.where}: {self.old} -> {self.new}{again}"


def mutants_of(path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    _need_library()
    import libcst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import MutationVisitor, get_ignored_lines, mutation_operators

    class Everywhere(MutationVisitor):
        """Decorated functions too, which mutmut's own runner could not replace."""

        def _skip_node_and_children(self, node: libcst.CSTNode) -> bool:
            if isinstance(node, libcst.FunctionDef):
                return False
            return super()._skip_node_and_children(node)

    source = path.read_text("utf-8")
    wrapper = MetadataWrapper(libcst.parse_module(source))
    visitor = Everywhere(mutation_operators, get_ignored_lines(str(path), source, wrapper, None))
    module = wrapper.visit(visitor)
    places = wrapper.resolve(PositionProvider)
    file = path.relative_to(REPOSITORY / "src" / "rnnnotes").as_posix()
    tree = ast.parse(source)
    starts = [0, *itertools.accumulate(len(line) for line in source.splitlines(keepends=True))]
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for change in visitor.mutations:
        node = change.original_node
        place, end = places[node].start, places[node].end
        first, last = (starts[at.line - 1] + at.column for at in (place, end))
        written, changed = (
            module.code_for_node(_bare(each)).strip() for each in (node, change.mutated_node)
        )
        # libcst writes a node alone without the margin of its block.
        margins = ("\n" + " " * depth for depth in range(0, 24, 4))
        here = source[first:last]
        margin = next((m for m in margins if written.replace("\n", m) == here), None)
        if margin:
            text = source[:first] + changed.replace("\n", margin) + source[last:]
        else:  # right as well, but a hundred times as slow
            text = module.deep_replace(node, change.mutated_node).code
        if text == source:
            continue
        names, function, lines = _around(tree, place.line, place.column)
        old, new = _difference(source, text)
        seen[names, old, new] += 1
        number = seen[names, old, new]
        found.append(Mutant(file, place.line, names, function, lines, old, new, number, text))
    return sorted(found, key=lambda mutant: mutant.line)


def _need_library() -> None:
    """mutmut and libcst, in a folder of their own; pip's settings are the caller's."""
    wanted = REQUIRED.read_text()
    stamp = LIBRARY / "made-from"
    if not stamp.is_file() or stamp.read_text() != wanted:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
        subprocess.run([*pip, "--target", LIBRARY, "-r", REQUIRED], check=True)
        stamp.write_text(wanted)
    if str(LIBRARY) not in sys.path:
        sys.path.append(str(LIBRARY))


def _bare(node: Any) -> Any:
    """Without the parentheses around it, which its place in the file leaves out."""
    return node.with_changes(lpar=(), rpar=()) if getattr(node, "lpar", ()) else node


def _around(tree: ast.Module, line: int, column: int) -> tuple[str, str, tuple[int, ...]]:
    """The names of what stands around a place, the outermost function, the statement's lines."""
    names: list[str] = []
    function = ""
    block: ast.AST = tree
    inner: ast.stmt | None = None
    while True:
        inside = [child for child in _statements(block) if _holds(child, line, column)]
        if not inside:
            break
        block = inner = inside[0]
        if isinstance(inner, ast.ClassDef | ast.FunctionDef):
            names.append(inner.name)
            if isinstance(inner, ast.FunctionDef) and not function:
                if (line, column) < (inner.body[0].lineno, inner.body[0].col_offset):
                    return ".".join(names), "", ()  # a default or a decorator
                function = ".".join(names)
    if inner is None or not function:
        return ".".join(names) or "module", "", ()
    body = getattr(inner, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) else inner.end_lineno
    return ".".join(names), function, tuple(range(inner.lineno, max(end, inner.lineno) + 1))


def _statements(block: ast.AST) -> list[ast.stmt]:
    lists = (getattr(block, name, []) for name in ("body", "orelse", "finalbody"))
    return [child for each in lists if isinstance(each, list) for child in each]


def _holds(node: ast.stmt, line: int, column: int) -> bool:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    start = (first, 0) if first < node.lineno else (node.lineno, node.col_offset)
    return start <= (line, column) < (node.end_lineno, node.end_col_offset)


def _difference(source: str, text: str) -> tuple[str, str]:
    """The lines that differ, without their margin."""
    before, after = source.splitlines(), text.splitlines()
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    old, new = (
        " ".join(line.strip() for line in lines[head : len(lines) - tail])
        for lines in (before, after)
    )
    return old, new or "(nothing)"
