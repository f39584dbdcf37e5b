"""A page to take home: as a notebook that Jupyter opens, and as a script that Python runs."""

import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

import rnnnotes as rn
from rnnnotes.site.downloads import NEEDED, notebook, project_files, script, to_json
from rnnnotes.site.weave import Weaver
from rnnnotes.training.ledger import MIME
from woven_page import REPOSITORY, display, page, result, small_figure, stream, verdict

BODY = '''
# Title

Falls to `{python} x` as $t \\to \\infty$. [Link](../other.md)

```python
#| caption: c
#| description: d
x = 41
draw()
```

!!! note "A callout"

    Words in it.

    ```python tags=["fold"]
    def f(y):
        """Doubles."""

        return 2 * y
    ```

    - a list

        deeper

    ??? question

        ```python
        x = f(x) - 40
        print(x)
        ```

        After, in the inner one.

    After, in the outer one.

=== "First tab"

    ```python .noeval
    --8<-- "src/rnnnotes/training/ledger.py:cite"
    ```

=== "Second tab"

    In the second.

Setext
===

```python .noeval reason="a sketch"
never ==
```

Last: `{python} f(x)`.

```python
assert x == 42
x  # shown
```
'''
OUTPUTS = [
    [small_figure()],
    [],
    [stream("42\n"), verdict(rn.Claim("A3", "q", below=1).settle([float("inf")]))],
    [result("42"), display("text/html", "<b>x</b>")],
]


@pytest.fixture(scope="module")
def made():
    source = page(BODY)
    run = {"outputs": OUTPUTS, "values": {"x": "0.5", "f(x)": "84"}}
    weaver = Weaver(source, run, REPOSITORY, {}, lambda _, make: make())
    return source, notebook(source, run, weaver.plain, weaver.plain_fence)


def markdown_of(book) -> str:
    return "\n\n".join(c["source"] for c in book["cells"] if c["cell_type"] == "markdown")


def code_of(book) -> list[str]:
    return [cell["source"] for cell in book["cells"] if cell["cell_type"] == "code"]


def test_jupyter_takes_it(made):
    _, book = made
    nbformat.validate(book)
    again = nbformat.reads(to_json(book), as_version=4)
    nbformat.validate(again)
    assert again.metadata.kernelspec.name == "python3"
    ids = [cell["id"] for cell in book["cells"]]
    assert len(ids) == len(set(ids))


def test_the_same_bytes_for_the_same_page(made):
    source, book = made
    run = {"outputs": json.loads(json.dumps(OUTPUTS)), "values": {"x": "0.5", "f(x)": "84"}}
    weaver = Weaver(source, run, REPOSITORY, {}, lambda _, make: make())
    again = notebook(source, run, weaver.plain, weaver.plain_fence)
    assert to_json(again) == to_json(book)
    assert script(again) == script(book)
    assert str(Path.home()) not in to_json(book) and str(REPOSITORY) not in to_json(book)


def test_its_code_cells_are_the_blocks_of_the_page_with_their_outputs(made):
    source, book = made
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in cells] == [block.source for block in source.blocks]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4]
    assert [cell["metadata"].get("tags", []) for cell in cells] == [[], ["fold"], [], []]
    kinds = [[output["output_type"] for output in cell["outputs"]] for cell in cells]
    assert kinds == [[output["output_type"] for output in outputs] for outputs in OUTPUTS]
    assert cells[3]["outputs"][0]["execution_count"] == 4
    assert cells[0]["outputs"][0]["data"] == OUTPUTS[0][0]["data"]
    # What was handed in is not changed.
    assert OUTPUTS[3][0]["execution_count"] is None


def test_its_code_runs_in_order(made, capsys):
    _, book = made
    namespace = {"draw": lambda: None}
    for code in code_of(book):
        exec(code, namespace)
    assert capsys.readouterr().out == "42\n" and namespace["x"] == 42


def test_its_words_are_those_of_the_page(made):
    _, book = made
    text = markdown_of(book)
    assert text.startswith(NEEDED)
    assert "Falls to 0.5 as $t \\to \\infty$. [Link](../other.md)" in text
    assert "Last: 84." in text
    assert "{python}" not in text and "jupytext" not in text
    places = [
        text.index(words) for words in ("# Title", "Words in it", "After, in the inner", "Last")
    ]
    assert places == sorted(places)


def test_callouts_and_tabs_become_titles_with_their_content_at_the_left(made):
    _, book = made
    lines = markdown_of(book).split("\n")
    for title in ("**A callout**", "**Question**", "**First tab**", "**Second tab**"):
        assert title in lines
    for words in ("Words in it.", "- a list", "    deeper", "After, in the inner one."):
        assert words in lines
    assert "After, in the outer one." in lines and "In the second." in lines
    assert not any(line.startswith(("!!!", "???", '=== "')) for line in lines)
    # A heading underlined is no tab.
    assert lines[lines.index("Setext") + 1] == "==="


def test_what_is_not_run_is_shown_as_code_and_is_no_cell(made):
    _, book = made
    lines = markdown_of(book).split("\n")
    at = lines.index("never ==")
    assert (lines[at - 1], lines[at + 1]) == ("```python", "```")
    at = next(n for n, line in enumerate(lines) if line.startswith("def cite("))
    assert lines[at - 1].startswith('```python title="src/rnnnotes/training/ledger.py:')
    assert not any("never" in code or "cite" in code for code in code_of(book))


def test_the_script_is_python_with_the_same_blocks_in_order(made, capsys):
    _, book = made
    text = script(book)
    exec(compile(text, "page.py", "exec"), {"draw": lambda: None})
    assert capsys.readouterr().out == "42\n"
    back = jupytext.reads(text, fmt="py:percent")
    codes = [cell.source for cell in back.cells if cell.cell_type == "code"]
    assert codes == code_of(book)
    assert "<svg" not in text
    comments = [line for line in text.split("\n") if "Words in it." in line]
    assert comments == ["# Words in it."]


def test_jupytext_reads_the_page_itself_as_a_notebook(made):
    """Blocks at the left margin are cells there; those in callouts are only for the site."""
    source, _ = made
    book = jupytext.reads(source.text, fmt="md")
    cells = [cell.source for cell in book.cells if cell.cell_type == "code"]
    assert [block.source for block in source.blocks if not block.indent] == [cells[0], cells[-1]]
    assert book.metadata.kernelspec.name == "python3"


def test_the_page_on_environments_works_where_it_is_taken(site, tmp_path):
    """The other pages may read files of the project and bring them; this one needs none."""
    taken = site / "start/run-the-notes.ipynb"
    book = nbformat.reads(taken.read_text("utf-8"), as_version=4)
    shown = [verdict for cell in book.cells for verdict in verdicts_of(cell)]
    for cell in book.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    kernel = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=180, resources=kernel).execute()
    assert [verdict for cell in book.cells for verdict in verdicts_of(cell)] == shown == ["built"]
    assert not list(tmp_path.iterdir())


def verdicts_of(cell):
    outputs = cell.get("outputs", [])
    found = [output.get("data", {}).get(MIME) for output in outputs]
    return [record["verdict"] for record in found if record]


# ---- files of the project that a page reads ------------------------------------------------------

READS = """
# Title

```python
import runpy
from pathlib import Path

told = runpy.run_path("../../snippets/one.py")["told"]
count = len(list(Path("../../snippets").glob("*.py")))
print(told, count, Path("../odd.txt").read_text("utf-8"), Path("kept/so.json").read_text())
```
"""


@pytest.fixture
def reads(tmp_path):
    root = tmp_path / "project"
    (root / "snippets").mkdir(parents=True)
    (root / "docs/part/kept").mkdir(parents=True)
    (root / "docs/part/kept/so.json").write_text("[4]")
    (root / "snippets/one.py").write_text('"""Doc with a \\\\ in it."""\ntold = "it\'s one"\n')
    (root / "snippets/two.py").write_text("told = 2\n")
    (root / "docs/odd.txt").write_text("three quotes ''' and\n\\")
    (root / "pins.txt").write_text("may be there or not")
    (tmp_path / "private.txt").write_text("not of the project")
    others = 'Path("../../../private.txt"), Path("../../pins.txt"), Path("../../src")'
    source = page(READS.replace("\n```\n", f"\n{others}\n```\n"))
    return source, root


def test_what_a_page_reads_of_the_project_comes_with_it(reads, tmp_path):
    source, root = reads
    files = project_files(source, root)
    assert files.keys() == {
        "../../snippets/one.py",
        "../../snippets/two.py",
        "../odd.txt",
        "kept/so.json",
    }
    run = {"outputs": [[]], "values": {}}
    text = script(notebook(source, run, str, lambda _: "", files=files))

    def said(folder):
        (folder / "page.py").write_text(text)
        command = [sys.executable, "page.py"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)

    (tmp_path / "empty").mkdir()
    assert said(tmp_path / "empty").stdout == "it's one 2 three quotes ''' and\n\\ [4]\n"
    assert (tmp_path / "empty/files-of-rnnnotes/snippets/two.py").read_text() == "told = 2\n"
    assert said(root / "docs/part").stdout.startswith("it's one 2 three")
    left = sorted(path.name for path in (root / "docs/part").iterdir())
    assert left == ["kept", "page.py"], "nothing brought"


def test_a_page_that_reads_nothing_brings_nothing(made):
    source, book = made
    assert project_files(source, REPOSITORY) == {}
    assert "bring(" not in to_json(book)
