"""Bad input: one message that names the page and the line in it; nothing harmed, nothing left."""

import os
import re
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from site_project import COUNTED, Build, Project, machinery, tree, until

pytestmark = pytest.mark.slow

GOOD = f"""\
# Good

```python
{COUNTED}
import rnnnotes as rn
rn.cite("A1", because="it is there")
```

```python
#| caption: A caption
#| description: A description.
import matplotlib.pyplot as plt
plt.plot([1, 2]);
```
"""
FINE = f"""\
# Fine

```python
{COUNTED}
print("fine", 6 * 7)
```

It is `{{python}} 6 * 7`. See [its verdict](good.md#A1).
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("faults") / "project")
    project.page("good", GOOD)
    project.page("fine", FINE)
    project.write("docs/reference/statements.md", "# All\n\n<!-- rnnnotes: statements -->\n")
    project.write("snippets/real.py", "# --8<-- [start:part]\nx = 1\n# --8<-- [end:part]\n")
    project.write("src/shelf.py", "def fail():\n    raise RuntimeError('deep inside')\n")
    project.statements({"id": "A1", "page": "good"})
    assert set(project.built().values()) == {"ran"}
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    """The good project, built; each test spoils a copy of its own."""
    return original.copy(tmp_path / "project")


def messages(build: Build) -> dict[str, list[tuple[int, str]]]:
    """Every ``docs/page.md:LINE: message`` that stands at the head of a message, by page."""
    found: dict[str, list[tuple[int, str]]] = {}
    for match in re.finditer(
        r"^(?:(?:ERROR|WARNING) +-  )?(docs/[\w/-]+\.md):(\d+): (.+)$", build.text, re.MULTILINE
    ):
        found.setdefault(match[1], []).append((int(match[2]), match[3]))
    return found


def assert_told(build: Build, wanted: dict[str, tuple[int, str]]) -> None:
    """The build failed; of each page one message, with that line and those words; no frames of
    ours."""
    assert build.code not in (0, None), build.text
    told = messages(build)
    assert told.keys() == {f"docs/{page}.md" for page in wanted}, build.text
    for page, (line, words) in wanted.items():
        (message,) = told[f"docs/{page}.md"]
        assert message[0] == line and words in message[1], (message, line, words)
    assert machinery(build.text) == [], build.text


def add(project: Project, faults: dict[str, tuple[str, str]]) -> dict[str, tuple[int, str]]:
    """Writes pages, whose faulty line ends with ``# here``; what will be said of each."""
    wanted = {}
    for name, (body, words) in faults.items():
        never_ends = name in ("endless", "workers")
        project.page(name, body, head="rnnnotes: {time_limit: 2}\n" if never_ends else "")
        wanted[name] = (project.line(f"docs/{name}.md", "# here"), words)
    return wanted


# ---- what goes wrong while a page runs ---------------------------------------------------------

RUNNING = {
    "raises": (
        """\
        # An exception, in a function that an earlier block defined

        ```python
        def inner(x):
            return 1 / x  # here
        ```

        Prose.

        ```python
        y = 1
        inner(0)
        ```
        """,
        "ZeroDivisionError: division by zero",
    ),
    "syntax": (
        """\
        # A syntax error

        ```python
        x = 1
        y = = 2  # here
        ```
        """,
        "SyntaxError: invalid syntax",
    ),
    "callout": (
        """\
        # Inside of a callout

        ```python
        x = 1
        ```

        !!! note "N"

            ```python
            x = 2
            print(undefined_name)  # here
            ```
        """,
        "NameError: name 'undefined_name' is not defined",
    ),
    "package": (
        """\
        # Inside of the package

        ```python
        import shelf

        shelf.fail()  # here
        ```
        """,
        "RuntimeError: deep inside",
    ),
    "warns": (
        """\
        # A warning

        ```python
        import warnings

        warnings.warn("be careful")  # here
        ```
        """,
        "UserWarning: be careful",
    ),
    "stderr": (
        """\
        # Something on stderr

        ```python
        import sys; sys.stderr.write("oh\\n")  # here
        ```
        """,
        "this block wrote to stderr",
    ),
    "endless": (
        """\
        # Never ends

        ```python
        while True: pass  # here
        ```
        """,
        "this block ran for more than 2 s",
    ),
    "workers": (
        """\
        # Its workers never end

        ```python
        from joblib import Parallel, delayed
        ```

        ```python
        import time; Parallel(n_jobs=2)(delayed(time.sleep)(1000) for _ in range(4))  # here
        ```
        """,
        "this block ran for more than 2 s",
    ),
    "stubborn": (
        """\
        # Asks for the end of Python

        ```python
        raise SystemExit(3)  # here
        ```
        """,
        "SystemExit",
    ),
    "exits": (
        """\
        # The kernel ends

        ```python
        x = 1
        ```

        ```python
        import os; os._exit(3)  # here
        ```
        """,
        "the kernel died (with status 3) in this block",
    ),
    "killed": (
        """\
        # The kernel is killed

        ```python
        import os; os.kill(os.getpid(), 9)  # here
        ```
        """,
        "the kernel died (killed by SIGKILL) in this block",
    ),
    "value": (
        """\
        # An unknown name in a value

        ```python
        known = 1
        ```

        It is `{python} known`,
        and also `{python} unknown_name`. <!-- # here -->
        """,
        "NameError: name 'unknown_name' is not defined",
    ),
    "address": (
        """\
        # An address

        ```python
        print(object())  # here
        ```
        """,
        "the output holds a memory address",
    ),
    "address_of_a_thing_with_a_picture": (
        """\
        # An address that only the notebook would hold

        ```python
        class Shown:  # here
            def _repr_html_(self):
                return "shown"

        Shown()
        ```
        """,
        "the output holds a memory address",
    ),
    "figure": (
        """\
        # A figure that cannot be drawn

        ```python
        #| caption: c # here
        #| description: d
        import matplotlib.pyplot as plt; plt.title("$\\\\frac{1$");
        ```
        """,
        "ValueError",
    ),
    "input": (
        """\
        # Asks the reader

        ```python
        input("your name? ")  # here
        ```
        """,
        "StdinNotImplementedError",
    ),
}


def test_what_fails_while_running_is_told_with_its_line_all_pages_at_once(project):
    wanted = add(project, RUNNING)
    # A page that is well, among those that are not; it starts processes that would go on.
    project.page(
        "well",
        f"""\
        # Well

        ```python
        {COUNTED}
        import subprocess, sys
        for apart in (False, True):
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=apart
            )
        import os
        if os.fork() == 0:
            import time
            time.sleep(1000)
        print("well")
        ```
        """,
    )
    with project.unharmed():
        assert_told(project.build(), wanted)
    status = project.status()
    assert {page for page, word in status.items() if word == "failed"} == set(RUNNING)
    assert (status["well"], status["good"], status["fine"]) == ("ran", "kept", "kept")

    # What ran well is kept, though the build failed.
    for name in RUNNING:
        (project.docs / f"{name}.md").unlink()
    count = project.counted()
    assert set(project.built().values()) == {"kept"}
    assert project.counted() == count == 1
    assert "well" in project.html("well")


def test_a_single_failure_is_one_message_with_the_block_and_the_end_of_the_traceback(project):
    project.page("raises", RUNNING["raises"][0])
    build = project.build()
    inner, outer = (project.line("docs/raises.md", text) for text in ("# here", "inner(0)"))
    assert build.errors == [
        f"docs/raises.md:{inner}: ZeroDivisionError: division by zero\n"
        "Traceback (most recent call last):\n"
        f'  File "docs/raises.md", line {outer}, in <module>\n'
        "    inner(0)\n"
        f'  File "docs/raises.md", line {inner}, in inner\n'
        "    return 1 / x  # here\n"
        "           ~~^~~\n"
        "ZeroDivisionError: division by zero"
    ]


# ---- what goes wrong when pages are read, or woven ---------------------------------------------


def test_what_cannot_be_read_is_told_before_anything_runs(project):
    kernel = "jupyter:\n  kernelspec: {display_name: X, language: LANGUAGE, name: NAME}\n"
    python = kernel.replace("LANGUAGE", "python").replace("NAME", "python3")
    wanted = {
        "yaml": (5, "the front matter is no YAML"),
        "kernel": (4, "expected the kernel python3, which every Jupyter has, got 'conda-env'"),
        "julia": (3, "expected jupyter.kernelspec with language: python"),
        "unclosed": (1, "the front matter opens with --- and is never closed"),
        "limit": (2, "expected seconds as time_limit, got 'soon'"),
        "list": (2, "expected front matter of names and values"),
        "latin": (5, "expected UTF-8 text"),
        "fence": (9, "this fence is never closed"),
        "tag": (7, "expected a tag of hide-input, fold, got 'remove'"),
        "option": (8, "expected an option of caption, description, label, got 'titel'"),
        "options": (9, "the #| options are no YAML"),
        "reason": (7, "a Python fence that is not run says why"),
        "without": (3, "a Python fence that nothing runs"),
        "valueless": (4, "a computed value needs a kernel"),
        "value": (8, "'x +' is no expression: invalid syntax"),
    }
    project.write("docs/yaml.md", "---\ntitle: ok\nlist:\n  - a\n b: c\n---\n# Y\n")
    project.write(
        "docs/kernel.md",
        "---\ntitle: K\njupyter:\n"
        "  kernelspec: {display_name: X, language: python, name: conda-env}\n---\n# K\n",
    )
    project.write(
        "docs/julia.md",
        f"---\ntitle: J\n{kernel.replace('LANGUAGE', 'julia').replace('NAME', 'julia-1')}---\n",
    )
    project.write("docs/unclosed.md", "---\ntitle: U\n\n# U\n")
    project.write("docs/limit.md", f"---\nrnnnotes: {{time_limit: soon}}\n{python}---\n# L\n")
    project.write("docs/list.md", "---\n- a\n- b\n---\n# L\n")
    project.write("docs/latin.md", "# L\n\nText.\n\nA caf\xe9.\n".encode("latin-1"))
    head = f"---\n{python}---\n# T\n\n"
    project.write("docs/fence.md", f"{head}Text.\n\n```python\nx = 1\n")
    project.write("docs/tag.md", f'{head}```python tags=["remove"]\nx = 1\n```\n')
    project.write("docs/option.md", f"{head}```python\n#| titel: x\nx = 1\n```\n")
    project.write("docs/options.md", f"{head}```python\n#| caption: ok\n#| label: [a\n```\n")
    project.write("docs/reason.md", f"{head}```python .noeval\nx = 1\n```\n")
    project.write("docs/without.md", "# W\n\n```python\nx = 1\n```\n")
    project.write("docs/value.md", f"{head}Text\nis `{{python}} x +`.\n")
    project.write("docs/valueless.md", "# V\n\nText\nis `{python} x`.\n")
    with project.unharmed():
        assert_told(project.build(), wanted)
    assert project.counted() == 0


def test_what_cannot_be_woven_is_told_with_its_line(project):
    figure = "import matplotlib.pyplot as plt; plt.plot([1, 2]);  # here"
    wanted = add(
        project,
        {
            "undescribed": (
                f"# F\n\n```python\n#| caption: c\n{figure}\n```\n",
                "figure 1 of this block has no description",
            ),
            "uncaptioned": (
                f"# F\n\n```python\n{figure}\n```\n",
                "figure 1 of this block has no caption",
            ),
            "second": (
                "# F\n\n```python\n#| caption: c\n#| description: d\n"
                f"{figure}\nplt.figure();\n```\n",
                "figure 2 of this block has no caption",
            ),
            "undrawn": (
                "# F\n\n```python\n#| caption: c\n#| description: d\nx = 1  # here\n```\n",
                "1 captions or descriptions for 0 figures",
            ),
            "file": (
                '# F\n\n```python .noeval\n--8<-- "snippets/none.py:# here"\n```\n',
                "expected a file of the project, got 'snippets/none.py', which is not there",
            ),
            "outside": (
                '# F\n\n```python .noeval\n--8<-- "../../../etc/hostname:# here"\n```\n',
                "expected a file of the project",
            ),
            "section": (
                '# F\n\n```python .noeval\n--8<-- "snippets/real.py:parts # here"\n```\n',
                "snippets/real.py has no section 'parts # here'; it has: part",
            ),
            "formula": (
                "# F\n\nText,\nand $\\frac{1$. <!-- # here -->\n",
                "cannot be typeset",
            ),
            "marker": (
                "# F\n\nText\n<!-- rnnnotes: statments --> <!-- # here -->\n",
                "expected a marker of bibliography, colophon, glossary, statements, verdict-ID, "
                "verdict-counts, got 'statments'",
            ),
        },
    )
    for name in ("undescribed", "second", "undrawn"):  # the block begins with its options
        wanted[name] = (project.line(f"docs/{name}.md", "#| caption"), wanted[name][1])
    with project.unharmed():
        assert_told(project.build(), wanted)


# ---- statements --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "page", "words"),
    [
        ([{"id": "B9", "page": "good"}], "good", "no statement has the id 'A1'"),
        ([{"id": "A1", "page": "fine"}], "good", "the statement A1 belongs on the page fine"),
        (
            [{"id": "A1", "page": "good"}, {"id": "A2", "page": "good"}],
            "good",
            "the page never records the statement A2",
        ),
    ],
    ids=["unknown", "elsewhere", "missing"],
)
def test_a_statement_that_is_unknown_elsewhere_or_missing(project, rows, page, words):
    project.statements(*rows)
    line = 1 if "never" in words else project.line("docs/good.md", COUNTED)
    with project.unharmed():
        assert_told(project.build(), {page: (line, words)})


def test_a_statement_that_is_recorded_twice(project):
    project.page("twice", GOOD.replace("# Good", "# Twice\n"))
    line = project.line("docs/twice.md", COUNTED)
    first = project.line("docs/good.md", COUNTED)
    with project.unharmed():
        words = f"the statement A1 is recorded twice; first at docs/good.md:{first}"
        assert_told(project.build(), {"twice": (line, words)})


def test_a_statement_whose_page_is_not_there(project):
    project.statements({"id": "A1", "page": "good"}, {"id": "B7", "page": "not/yet"})
    with project.unharmed():
        build = project.build()
    assert build.code != 0
    assert "these statements have no page: B7" in build.text
    assert machinery(build.text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {id: A1, page: good", "docs/statements.yml"),
        ("- {id: A1, page: good}", "docs/statements.yml"),
        ("", "docs/statements.yml"),
        ("just words", "docs/statements.yml"),
        (
            "- &a {id: A1, page: good, kind: claim, says: s, settle: t}\n- *a\n",
            "the id A1 stands there twice",
        ),
    ],
    ids=["no-yaml", "half-a-row", "empty", "words", "doubled"],
)
def test_a_list_of_statements_that_cannot_be_read(project, text, words):
    project.write("docs/statements.yml", text)
    with project.unharmed():
        build = project.build()
    assert build.code != 0 and len(build.errors) == 1
    assert words in build.errors[0] and machinery(build.text) == []


# ---- links -------------------------------------------------------------------------------------


def test_broken_links_and_anchors_are_told_with_their_line(project):
    project.replace("docs/fine.md", "It is", "Text, a\n[link](nowhere.md) # here\nIt is")
    project.write("docs/anchor.md", "# A\n\nOk: [a](good.md#A1).\n\nNot: [b](good.md#A2).\n")
    project.write("docs/own.md", "# O\n\n[o](#o)[o](#part-o) and\n[p](#part)[o](#o).\n## Part o\n")
    project.write("docs/absolute.md", "# A\n\n[o](/good/)\n")
    with project.unharmed():
        build = project.build()
    assert_told(
        build,
        {
            "fine": (project.line("docs/fine.md", "# here"), "nowhere.md"),
            "anchor": (5, "good.md#A2"),
            "own": (4, "'#part'"),
            "absolute": (3, "/good/"),
        },
    )


# ---- the cache ---------------------------------------------------------------------------------


def test_a_damaged_entry_is_run_again(project):
    pages = project.root / ".cache/rnnnotes/pages"
    good, fine = pages / "good.entry", pages / "fine.entry"
    site, entries = tree(project.site), tree(pages)
    good.write_bytes(good.read_bytes()[:-50])  # half-written
    fine.write_bytes(fine.read_bytes().replace(b"fine", b"evil"))
    assert project.built() == {"good": "ran", "fine": "ran"}
    assert tree(project.site) == site and tree(pages).keys() == entries.keys()

    good.write_bytes(os.urandom(500))
    fine.write_bytes(b"")
    for made in (project.root / ".cache/rnnnotes/made").iterdir():
        made.write_bytes(made.read_bytes()[:-70] + b"x" * 70)
    assert project.built() == {"good": "ran", "fine": "ran"}
    assert tree(project.site) == site


def test_an_entry_that_cannot_be_kept(project):
    entry = project.root / ".cache/rnnnotes/pages/good.entry"
    entry.unlink()
    entry.mkdir()
    with project.unharmed():
        build = project.build()
    assert build.code != 0
    assert len(build.errors) == 1 and "good.entry cannot be written" in build.errors[0]
    assert machinery(build.text) == []


def test_a_report_that_cannot_be_written(project):
    shutil.rmtree(project.root / "build")
    (project.root / "build").write_text("in the way")
    with project.unharmed():
        build = project.build()
    assert build.code != 0
    assert len(build.errors) == 1 and "build/report.json cannot be written" in build.errors[0]
    assert machinery(build.text) == []


@pytest.mark.parametrize("place", [".cache", ".cache/rnnnotes", ".cache/rnnnotes/pages"])
def test_a_cache_that_cannot_be_written(project, place):
    """A file stands where the folder should be."""
    shutil.rmtree(project.root / place)
    (project.root / place).write_text("in the way")
    before = tree(project.site)
    build = project.build()
    assert build.code != 0
    assert len(build.errors) == 1 and "cannot be written" in build.errors[0], build.text
    assert str(project.root / ".cache") in build.errors[0]
    assert machinery(build.text) == []
    assert tree(project.site) == before
    project.assert_nothing_left()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_is_read_only(project):
    cache = project.root / ".cache/rnnnotes"
    os.chmod(cache, stat.S_IRUSR | stat.S_IXUSR)
    before = tree(project.site)
    build = project.build()
    os.chmod(cache, stat.S_IRWXU)
    assert build.code != 0 and "cannot be written" in build.errors[0]
    assert tree(project.site) == before


# ---- builds that are stopped, and builds beside each other -------------------------------------


WAITS = """\
# Waits

```python
import subprocess, sys, time
from pathlib import Path
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
Path("{folder}/started").touch()
while not Path("{folder}/go").exists():
    time.sleep(0.02)
print("waited")
```
"""


@pytest.fixture
def waiting(project, tmp_path):
    """A build that is in the middle of a block, until somebody says go."""
    project.page("waits", WAITS.replace("{folder}", str(tmp_path)))
    project.go = (tmp_path / "go").touch
    # A short path: the addresses of kernels lie below it.
    project.scratch = Path(tempfile.mkdtemp(prefix="rn"))
    process = project.start(TMPDIR=str(project.scratch))
    until(lambda: (tmp_path / "started").exists(), 120, lambda: project.finish(process).text)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    shutil.rmtree(project.scratch)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_stopped(project, waiting, signum):
    before = tree(project.site), tree(project.root / ".cache/rnnnotes/pages")
    if signum == signal.SIGINT:  # as a terminal sends Ctrl-C
        os.killpg(waiting.pid, signum)
    else:
        waiting.send_signal(signum)
    build = project.finish(waiting)
    assert build.code != 0
    until(lambda: not project.processes(), 10, lambda: f"left behind: {project.processes()}")
    assert list(project.scratch.glob("rnnnotes-*")) == []
    assert (tree(project.site), tree(project.root / ".cache/rnnnotes/pages")) == before
    if signum == signal.SIGINT:
        assert build.errors == ["interrupted: the site and the cache are as they were"]
        assert machinery(build.text) == [], build.text
        project.assert_nothing_left()
    # Nothing that is left over stands in the way of the next.
    (project.docs / "waits.md").unlink()
    assert project.built() == {"good": "kept", "fine": "kept"}
    project.assert_nothing_left()


def test_ctrl_c_while_kernels_are_being_prepared(project):
    project.page("new", FINE)
    with project.unharmed():
        process = project.start()
        until(
            lambda: any("rnnnotes.site.kernel" in line for line in project.processes()),
            120,
            lambda: "no process that prepares kernels",
        )
        os.killpg(process.pid, signal.SIGINT)
        build = project.finish(process)
        assert build.code != 0
        assert build.errors == ["interrupted: the site and the cache are as they were"]
        assert machinery(build.text) == [], build.text


def test_a_second_build_in_the_same_folder_gives_way(project, waiting):
    second = project.build()
    assert second.code != 0
    assert second.errors == [
        f"another build is running in this folder (process {waiting.pid}): wait for it, or end it"
    ]
    assert machinery(second.text) == []
    project.go()
    first = project.finish(waiting)
    assert first.code == 0, first.text
    assert project.status() == {"good": "kept", "fine": "kept", "waits": "ran"}
    assert "waited" in project.html("waits")
    project.assert_nothing_left()


# ---- odd, but no fault -------------------------------------------------------------------------


def test_odd_pages_are_built(project):
    project.write("docs/nothing.md", "")
    project.page("no-blocks", "# No blocks\n\nA kernel, and nothing to run: `{python} 6 * 7`.\n")
    project.page("no-body", "")
    project.page("windows", "# W\r\n\r\n```python\r\nprint('line ends')\r\n```\r\n")
    project.page("quiet", "# Q\n\n```python\nx = 1\n```\n\n```python\n```\n")
    project.page("loud", "# L\n\n```python\nprint(('x' * 99 + '\\n') * 100_000)\n```\n")
    project.write("docs/bom.md", b"\xef\xbb\xbf# With a byte order mark\n\nText.\n")
    build = project.build()
    assert build.code == 0, build.text
    assert "nothing to run: 42." in project.html("no-blocks")
    assert "line ends" in project.html("windows")
    assert project.html("loud").count("x" * 99) >= 100_000
    assert "With a byte order mark</h1>" in re.sub(r"<a .*?</a>", "", project.html("bom"))
