"""The public names of the package, read from its stubs."""

import ast
import importlib
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "rnnnotes"
# Each stub with what its names are reached by: rn.unroll, rn.tasks.adding, rn.plot.spectrum.
STUBS = {"": "rnnnotes", "tasks.": "rnnnotes.tasks", "plot.": "rnnnotes.plot"}


def stubbed(package: str) -> dict[str, str]:
    """Every name of a package's ``__init__.pyi``, and the module that it comes from."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    names = {}
    for node in ast.parse((folder / "__init__.pyi").read_text("utf-8")).body:
        assert isinstance(node, ast.ImportFrom) and node.level == 1, ast.unparse(node)
        for alias in node.names:
            assert alias.asname == alias.name, ast.unparse(node)
            assert alias.name not in names, alias.name
            names[alias.name] = ".".join(filter(None, [package, node.module]))
    return names


def public_names() -> dict[str, object]:
    """All public names, as they are reached from ``rn``, with what they stand for."""
    found = {}
    for prefix, package in STUBS.items():
        module = importlib.import_module(package)
        for name in stubbed(package):
            found[prefix + name] = getattr(module, name)
    return found
