"""The floors of the house: who may import whom. The rule is tried on houses built wrongly, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "rnnnotes"

# Files and folders from the ground up. A file imports from what is named before it; inside a
# folder files may import one another, but not in a circle.
FLOORS = (
    ("_checks", "spectra"),
    ("init", "cells"),
    ("layers", "shortcuts", "conv", "reservoir", "tasks"),
    ("gradient_flow", "cost"),
    ("training",),
    ("plot",),
    ("site",),
)
ORDER = [part for floor in FLOORS for part in floor]

MATPLOTLIB = {"matplotlib", "mpl_toolkits", "pylab"}
MKDOCS = {"mkdocs", "mkdocs_jupyter", "material"}


def module_name(path: Path, root: Path) -> str:
    """``cells.lstm`` for cells/lstm.py, ``cells`` for cells/__init__.py, empty for the top."""
    steps = path.relative_to(root).with_suffix("").parts
    return ".".join(steps[:-1] if steps[-1] == "__init__" else steps)


def imported(path: Path, root: Path) -> set[str]:
    """Every module that a file names in an import, wherever in the file it stands."""
    here = ["rnnnotes", *path.relative_to(root).parent.parts]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names.update(f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else function
            called = called.id if isinstance(called, ast.Name) else called
            constant = node.args and isinstance(node.args[0], ast.Constant)
            if called in ("import_module", "__import__") and constant:
                names.add(node.args[0].value)
    return names


def faults(root: Path) -> list[str]:
    """What is against the rules in the package at ``root``, one line each."""
    modules = {module_name(path, root): path for path in sorted(root.rglob("*.py"))}
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        file = path.relative_to(root).as_posix()
        part = module.split(".")[0]
        if part and part not in ORDER:
            found.append(f"{file}: stands on no floor")
            continue
        graph[module] = set()
        for name in sorted(imported(path, root)):
            package, _, inner = name.partition(".")
            if package in MATPLOTLIB and part != "plot" and module != "site.kernel":
                found.append(f"{file}: imports matplotlib")
            if package in MKDOCS and module != "site.plugin":
                found.append(f"{file}: imports mkdocs")
            if package != "rnnnotes":
                continue
            target = inner if inner in modules else inner.rpartition(".")[0]
            if not target:
                found.append(f"{file}: imports {name}, not the file that holds it")
                continue
            if target not in modules:
                found.append(f"{file}: imports {name}, which is not there")
                continue
            above = target.split(".")[0]
            if above != part:
                if not part or ORDER.index(above) > ORDER.index(part):
                    found.append(f"{file}: imports {target}, which is not below it")
            if target != module:
                graph[module].add(target)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        found.append(f"a circle of imports: {' -> '.join(error.args[1])}")
        return found
    for module in graph:
        if module.split(".")[0] == "tasks" and any(
            m.startswith("cells") for m in reach(module, graph)
        ):
            found.append(f"{module}: a task that imports cells")
    return found


def reach(module: str, graph: dict[str, set[str]]) -> set[str]:
    """All modules that an import of ``module`` brings along."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def test_the_house_keeps_its_floors():
    assert faults(PACKAGE) == []


def test_all_of_the_house_was_looked_at():
    looked_at = {module_name(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
    assert {"", "_checks", "spectra", "init", "cells.base", "layers", "gradient_flow"} <= looked_at
    below_layers = {"cells.base", "cells.lstm", "cells.gru", "cells.elman"}
    names = imported(PACKAGE / "layers.py", PACKAGE)
    assert below_layers <= {name.removeprefix("rnnnotes.").rpartition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("spectra.py", "from rnnnotes.layers import unroll", "imports layers, which is not below"),
        ("init.py", "from .cells.base import Cell", "imports cells.base, which is not below"),
        ("cells/base.py", "def f():\n    from .. import layers", "imports layers, which is not"),
        ("cells/base.py", "import rnnnotes.gradient_flow", "imports gradient_flow, which is not"),
        ("cells/base.py", "import rnnnotes as rn", "imports rnnnotes, not the file that holds it"),
        ("layers.py", "from rnnnotes import Cell", "imports rnnnotes.Cell, not the file that"),
        ("layers.py", "from rnnnotes.nowhere import x", "imports rnnnotes.nowhere.x, which is not"),
        ("layers.py", "import matplotlib.pyplot as plt", "layers.py: imports matplotlib"),
        ("site/weave.py", "from matplotlib import colors", "site/weave.py: imports matplotlib"),
        ("site/weave.py", "import mkdocs", "site/weave.py: imports mkdocs"),
        ("site/kernel.py", "from mkdocs.plugins import x", "site/kernel.py: imports mkdocs"),
        ("layers.py", "import importlib\nimportlib.import_module('mkdocs')", "imports mkdocs"),
        ("plot/charts.py", "from rnnnotes.site import weave", "imports site.weave, which is not"),
        ("__init__.py", "from .cells import base", "__init__.py: imports cells.base, which is not"),
        ("tasks/adding.py", "from rnnnotes.cells import base", "tasks.adding: a task that imports"),
        ("tasks/adding.py", "from ..layers import unroll", "tasks.adding: a task that imports"),
        ("cells/base.py", "from rnnnotes.cells.lstm import L", "a circle of imports: "),
        ("extra.py", "x = 1", "extra.py: stands on no floor"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, line, fault):
    for path, text in {
        "__init__.py": "import lazy_loader",
        "_checks.py": "import torch",
        "spectra.py": "from rnnnotes._checks import check",
        "init.py": "from rnnnotes.spectra import spectral_radius",
        "cells/__init__.py": "",
        "cells/base.py": "from rnnnotes.init import uniform_",
        "cells/lstm.py": "from rnnnotes.cells.base import Cell",
        "layers.py": "from .cells import lstm",
        "gradient_flow.py": "from rnnnotes.layers import unroll",
        "tasks/__init__.py": "",
        "tasks/adding.py": "from .. import _checks",
        "plot/__init__.py": "import matplotlib",
        "plot/charts.py": "from rnnnotes.plot import palette",
        "plot/palette.py": "",
        "site/__init__.py": "",
        "site/kernel.py": "import matplotlib",
        "site/plugin.py": "import mkdocs",
        "site/weave.py": "from rnnnotes.plot.palette import x",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert faults(tmp_path) == []
    with (tmp_path / file).open("a") as more:
        more.write(f"\n{line}\n")
    found = faults(tmp_path)
    assert any(fault in one for one in found), found
