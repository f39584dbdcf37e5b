"""Each file of ``snippets/`` in an empty folder, where ``rnnnotes`` cannot be imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNIPPETS = sorted((ROOT / "snippets").glob("*.py"))
LINES, COLUMNS, SECONDS = 40, 100, 120
MAY_IMPORT = {"torch"} | sys.stdlib_module_names

# As on a reader's machine: none of our package, any warning is a fault.
RUN_ALONE = """
import runpy, sys
sys.modules["rnnnotes"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def faults(text: str) -> list[str]:
    """What in the text of a snippet is against the rules, a line each."""
    tree, found = ast.parse(text), []
    lines = text.splitlines()
    if len(lines) > LINES:
        found.append(f"{len(lines)} lines, more than {LINES}")
    found += [f"line {n}: over {COLUMNS} wide" for n, x in enumerate(lines, 1) if len(x) > COLUMNS]
    if not ast.get_docstring(tree):
        found.append("no docstring that says what it does")
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [a for a in ast.walk(node.args) if isinstance(a, ast.arg)]
            bare = [a.arg for a in arguments if not a.annotation and a.arg != "self"]
            found += [f"{node.name}: {name} has no type" for name in bare]
            if node.returns is None:
                found.append(f"{node.name}: no type of what it returns")
        found += [f"imports {n}" for n in names if n.split(".")[0] not in MAY_IMPORT]
    mains = [node for node in tree.body if is_main(node)]
    if not mains or mains[0] is not tree.body[-1]:
        found.append('does not end with `if __name__ == "__main__":`')
    elif not any(isinstance(node, ast.Assert) for node in ast.walk(mains[0])):
        found.append("asserts nothing when it is run")
    return found


def run_alone(snippet: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    copy = folder / snippet.name
    copy.write_bytes(snippet.read_bytes())
    command = [sys.executable, "-I", "-B", "-W", "error", "-c", RUN_ALONE, str(copy)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_copied_snippet_runs_alone_and_shows_that_it_works(snippet, tmp_path):
    done = run_alone(snippet, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "it shows nothing"
    assert not done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [snippet.name], "it left files behind"


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_is_short_typed_and_needs_only_torch(snippet):
    assert faults(snippet.read_text("utf-8")) == []


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_is_shown_whole_on_a_page(snippet):
    line = f'--8<-- "snippets/{snippet.name}"'
    assert any(line in page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md"))


def test_a_snippet_that_needs_the_package_fails(tmp_path):
    (tmp_path / "own").mkdir()
    snippet = tmp_path / "needs_the_package.py"
    snippet.write_text("import rnnnotes as rn\nprint(rn.LSTMCell(2, 3))\n")
    done = run_alone(snippet, tmp_path / "own")
    assert done.returncode == 1 and "import of rnnnotes halted" in done.stderr


GOOD = '''"""What it does."""
import torch

def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

if __name__ == "__main__":
    assert double(torch.ones(1)) == 2
    print("doubled")
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"""What it does."""\n', "", "no docstring"),
        ("import torch", "import torch, numpy.linalg", "imports numpy.linalg"),
        ("import torch", "import torch\nfrom rnnnotes import fit", "imports rnnnotes"),
        ("x: torch.Tensor", "x", "double: x has no type"),
        (" -> torch.Tensor", "", "double: no type of what"),
        ("    assert double(torch.ones(1)) == 2\n", "", "asserts nothing"),
        ('if __name__ == "__main__":', "if True:", "does not end with"),
        ('    print("doubled")\n', '    print("doubled")\nx = 1\n', "does not end with"),
        ("import torch", "import torch" + "\n" * 40, "49 lines"),
        ("2 * x", "2 * x" + " " * 90, "line 5: over 100"),
    ],
)
def test_each_rule_is_held(old, new, fault):
    assert faults(GOOD) == []
    assert old in GOOD
    assert any(fault in found for found in faults(GOOD.replace(old, new)))
