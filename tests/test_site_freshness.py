"""What is run again after a change, and what is not: exactly the pages that depend on it."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
from bs4 import BeautifulSoup

from rnnnotes.site.plugin import _ask_once
from site_project import COUNTED, Project, tree

pytestmark = pytest.mark.slow

PAGES = {
    "alone": """\
        # Alone

        Some prose here.

        ## A heading

        ```python
        #| caption: A first caption
        #| description: A line.
        import matplotlib.pyplot as plt
        plt.plot([1, 2]);
        ```

        The sum is `{python} 1 + 1`.
        """,
    "direct": """\
        # Direct

        ```python
        from shelf.base import double
        print(double(2))
        ```
        """,
    "through": """\
        # Through another module

        ```python
        import shelf.top
        print(shelf.top.quadruple(2))
        ```
        """,
    "worker": """\
        # In a worker only

        ```python
        from joblib import Parallel, delayed

        def work(number):
            from shelf.base import double
            return double(number)

        print(Parallel(n_jobs=2)(delayed(work)(number) for number in range(3)))
        ```
        """,
    "lazy": """\
        # Resolved on first use

        ```python
        import bench
        print(bench.tool())
        ```
        """,
    "late": """\
        # In a function, and only in a value

        ```python
        def late():
            from shelf.side import NAME
            return NAME
        ```

        It is `{python} late()`.
        """,
    "data": """\
        # Reads data

        ```python
        import json
        from pathlib import Path
        print(json.loads(Path("data/table.json").read_text()))
        ```
        """,
    "snippet": """\
        # Reads a snippet

        ```python
        import runpy
        print(runpy.run_path("../snippets/used.py")["answer"])
        ```
        """,
    "folder": """\
        # Lists a folder

        ```python
        from pathlib import Path
        print(sorted(path.name for path in Path("data/many").iterdir()))
        ```
        """,
    "shows": """\
        # Shows a snippet

        ```python .noeval
        --8<-- "snippets/used.py:answer"
        ```

        ```python .noeval
        --8<-- "src/shelf/base.py:double"
        ```

        ```python
        print("nothing of either")
        ```
        """,
}
FILES = {
    "src/shelf/__init__.py": "",
    "src/shelf/base.py": "def double(x):\n    return 2 * x\n",
    "src/shelf/top.py": "from shelf.middle import again\n\nquadruple = again\n",
    "src/shelf/middle.py": (
        "from .base import double\n\n\ndef again(x):\n    return double(double(x))\n"
    ),
    "src/shelf/side.py": "NAME = 'side'\n",
    "src/bench/__init__.py": (
        "import lazy_loader\n\n"
        "__getattr__, __dir__, __all__ = lazy_loader.attach(\n"
        "    __name__, submod_attrs={'used': ['tool'], 'unused': ['other']}\n)\n"
    ),
    "src/bench/used.py": "def tool():\n    return 'tool'\n",
    "src/bench/unused.py": "def other():\n    return 'other'\n",
    "docs/data/table.json": "[1, 2]",
    "docs/data/many/one.txt": "1",
    "snippets/used.py": "# --8<-- [start:answer]\nanswer = 42\n# --8<-- [end:answer]\n",
}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Project:
    """Built from nothing, and again, so that byte code is there."""
    project = Project.create(tmp_path_factory.mktemp("fresh") / "project")
    for path, text in FILES.items():
        project.write(path, text)
    for name, body in PAGES.items():
        # At the end of the page's last block: options come first.
        head, _, tail = body.rpartition("        ```\n")
        project.page(name, f"{head}        {COUNTED}\n        ```\n{tail}")
    assert set(project.built().values()) == {"ran"}
    assert project.counted() == len(PAGES)
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    """A copy of its own for each test: entries hold no absolute path."""
    return original.copy(tmp_path / "project")


def rerun(project: Project, **env: str) -> set[str]:
    """Builds; the pages that ran, as the report says and as their blocks count."""
    before = project.counted()
    project.built(**env)
    assert project.counted() - before == len(project.ran())
    return project.ran()


def text_of(project: Project, page: str) -> str:
    return BeautifulSoup(project.html(page), "lxml").get_text()


# ---- what runs nothing ------------------------------------------------------------------------


def test_nothing_changed_runs_nothing_and_gives_the_same_bytes(project):
    before = tree(project.site)
    assert rerun(project) == set()
    assert tree(project.site) == before


def test_prose_headings_captions_and_tags_run_nothing_and_are_shown(project):
    project.replace("docs/alone.md", "Some prose", "Other prose\n\nof more lines")
    project.replace("docs/alone.md", "## A heading", "## Another heading")
    project.replace("docs/alone.md", "A first caption", "A second caption")
    project.replace("docs/alone.md", "A line.", "A line that goes up.")
    project.replace("docs/alone.md", "kernelspec:", "kernelspec: ")
    project.replace("docs/direct.md", "```python\n", '```python tags=["fold"]\n')
    project.replace("docs/index.md", "Nothing runs", "Really nothing runs")
    assert rerun(project) == set()
    html = project.html("alone")
    for words in ("Other prose", "Another heading", "A second caption", "A line that goes up."):
        assert words in html
    assert "A first caption" not in html
    assert '<details class="code">' in project.html("direct")


def test_touching_every_file_runs_nothing(project):
    for file in [*project.docs.rglob("*"), *(project.root / "src").rglob("*.py")]:
        os.utime(file)
    assert rerun(project) == set()


def test_a_module_that_nobody_imports_runs_nothing(project):
    project.write("src/shelf/new.py", "1 / 0\n")
    project.replace("src/bench/unused.py", "other", "another")
    assert rerun(project) == set()


def test_a_page_that_asks_for_a_version_does_not_read_its_folder(project):
    code = "import importlib.metadata\nimportlib.metadata.version('numpy')"
    project.page("part/asks", f"# Asks\n\n```python\n{COUNTED}\n{code}\n```\n")
    assert rerun(project) == {"part/asks"}
    project.write("docs/part/new.txt", "beside it")
    assert rerun(project) == set()


# ---- what runs something ----------------------------------------------------------------------


def test_one_block_one_value_and_one_page_moved_run_those_pages_alone(project):
    project.replace("docs/direct.md", "double(2)", "double(3)")
    project.replace("docs/alone.md", "{python} 1 + 1", "{python} 1 + 2")
    (project.docs / "late.md").rename(project.docs / "moved.md")
    assert rerun(project) == {"direct", "alone", "moved"}
    assert ">6\n" in project.html("direct")
    assert "The sum is 3." in project.html("alone")


def test_a_module_changed_runs_exactly_those_that_import_it(project):
    """Directly, through two other modules, and in a worker process only; one only shows it."""
    project.replace("src/shelf/base.py", "2 * x", "x + x + 1")
    assert rerun(project) == {"direct", "through", "worker"}
    assert "[1, 3, 5]" in project.html("worker")
    assert "return x + x + 1" in text_of(project, "shows")


def test_a_module_changed_to_the_same_length_and_time_is_run_as_it_is_now(project):
    """Python itself would run its old byte code."""
    file = project.root / "src/shelf/base.py"
    before = file.stat()
    project.replace("src/shelf/base.py", "2 * x", "3 * x")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rerun(project) == {"direct", "through", "worker"}
    assert ">6\n" in project.html("direct") and "[0, 3, 6]" in project.html("worker")


def test_a_module_in_between_and_one_imported_lazily(project):
    project.replace("src/shelf/middle.py", "double(double(x))", "4 * double(x)")
    project.replace("src/bench/used.py", "return 'tool'", "return 'tools'")
    project.replace("src/shelf/side.py", "'side'", "'other side'")
    assert rerun(project) == {"through", "lazy", "late"}
    assert "It is other side." in project.html("late")


def test_a_module_that_is_gone_runs_those_that_imported_it(project):
    (project.root / "src/shelf/side.py").unlink()
    build = project.build()
    assert build.code != 0
    assert "docs/late.md:" in build.text and "No module named 'shelf.side'" in build.text
    assert {row["page"]: row["status"] for row in project.report()["pages"]}["late"] == "failed"


def test_data_snippets_and_listings_run_the_pages_that_read_them(project):
    """A page that merely shows the snippet is woven anew, and not run."""
    project.write("docs/data/table.json", "[3, 4]")
    project.replace("snippets/used.py", "42", "43")
    project.write("docs/data/many/two.txt", "2")
    assert rerun(project) == {"data", "snippet", "folder"}
    assert "[3, 4]" in project.html("data") and "two.txt" in project.html("folder")
    assert "answer = 43\n" in text_of(project, "shows")


def test_what_changes_while_a_page_runs_is_not_taken_for_what_the_page_has_read(project):
    project.replace(
        "docs/direct.md",
        "print(double(2))",
        "print(double(2))\n"
        "open('../src/shelf/base.py', 'w').write('def double(x):\\n    return 3 * x\\n')",
    )
    project.built()
    assert ">4\n" in project.html("direct")
    assert rerun(project) == {"direct", "through", "worker"}
    assert ">6\n" in project.html("direct")


def test_links_and_byte_code_kept_elsewhere_hide_nothing(project, tmp_path):
    """The project is reached by a link; modules are read from byte code in another folder."""
    link = Project(tmp_path / "link")
    link.root.symlink_to(project.root)
    link.ledger = project.ledger
    elsewhere = {"PYTHONPYCACHEPREFIX": str(tmp_path / "byte-code")}
    compiling = [sys.executable, "-m", "compileall", "-q", str(link.root / "src")]
    subprocess.run(compiling, env=project.environment(**elsewhere), check=True)

    def ran() -> set[str]:
        link.built("-f", str(link.root / "mkdocs.yml"), **elsewhere)
        return link.ran()

    project.replace("docs/direct.md", "double(2)", "double(3)")
    project.replace("docs/data.md", "print(json", "print('read', json")
    project.replace("docs/folder.md", "print(sorted", "print('listed', sorted")
    assert ran() == {"direct", "data", "folder"}
    project.replace("src/shelf/base.py", "2 * x", "3 * x")
    project.write("docs/data/table.json", "[3, 4]")
    project.write("docs/data/many/two.txt", "2")
    assert ran() == {"direct", "through", "worker", "data", "folder"}


@pytest.mark.parametrize("package", ["torch", "matplotlib"])
def test_another_version_of_a_package_runs_what_stands_on_it(project, tmp_path, package):
    """Every page draws with matplotlib; torch is loaded where a page names it."""
    project.page("tensors", "# Tensors\n\n```python\nimport torch\n```\n")
    project.built()
    info = tmp_path / "newer" / f"{package}-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    path = os.pathsep.join([str(info.parent), project.environment()["PYTHONPATH"]])
    project.built(PYTHONPATH=path)
    assert project.ran() == {"tensors"} | (set(PAGES) if package == "matplotlib" else set())
    assert project.report()["versions"][package] == "99.0"


def test_the_processor_time_of_a_page_counts_its_workers(project):
    project.page(
        "busy",
        """\
        # Works elsewhere

        ```python
        from joblib import Parallel, delayed

        def work(seconds):
            import time
            start = time.process_time()
            while time.process_time() - start < seconds:
                pass

        Parallel(n_jobs=2)(delayed(work)(3) for _ in range(2));
        ```
        """,
    )
    project.built()
    (row,) = (row for row in project.report()["pages"] if row["page"] == "busy")
    assert 6 <= row["cpu_seconds"] < 60


def test_mkdocs_jupyter_is_asked_about_a_page_again_only_when_something_changed(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("one")
    kept, parsed = {}, []

    def memo(source, make):
        if source not in kept:
            kept[source] = make()
        return kept[source]

    def build(include="*.md"):
        class Jupyter:
            config: ClassVar = {"include": include}

            def should_include(self, file):
                parsed.append(include)
                return include == "*.md"

        plugin = Jupyter()
        _ask_once(plugin, memo)
        _ask_once(plugin, memo)
        return [plugin.should_include(SimpleNamespace(abs_src_path=str(file))) for _ in range(2)]

    assert build() == build() == [True, True]
    assert len(parsed) == 1
    file.write_text("two")
    build()
    assert len(parsed) == 2
    assert build("other") == [False, False]
    assert parsed == ["*.md", "*.md", "other"]


def test_a_build_with_nothing_changed_loads_none_of_what_runs_or_draws_notebooks(tmp_path):
    project = Project.create(tmp_path / "project")
    project.page("page", "# A page\n\n```python\nprint(1)\n```\n")
    assert project.built() == {"page": "ran"}
    spy = """
import sys, mkdocs.__main__
sys.argv[1:] = ["build", "-q"]
try:
    mkdocs.__main__.cli()
finally:
    print([name for name, module in sys.modules.items() if type(module) is type(sys)])
"""
    told = project.finish(project.start("-c", spy))
    assert told.code == 0 and project.status() == {"page": "kept"}, told.text
    assert "'mkdocs_jupyter.plugin'" in told.text
    for name in ("jupytext", "nbformat", "nbconvert", "nbclient", "zmq", "tornado", "torch"):
        assert f"'{name}'" not in told.text, name
