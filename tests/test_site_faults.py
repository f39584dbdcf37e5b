"""Bad input: one message that names the page and the line in it; nothing harmed, nothing left."""

import os
import re
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from bad_pages import (
    HERE,
    NEVER_ENDS,
    READING,
    REAL,
    RUNNING,
    SHELF,
    SOON,
    WEAVING,
    assert_told,
)
from site_project import COUNTED, KERNEL, Build, Project, machinery, tree, until

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
    project.write("snippets/real.py", REAL)
    project.write("src/shelf.py", SHELF)
    project.statements({"id": "A1", "page": "good"})
    assert set(project.built().values()) == {"ran"}
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    """The good project, built; each test spoils a copy of its own."""
    return original.copy(tmp_path / "project")


def add(project: Project, faults: dict[str, tuple[str, str]]) -> dict[str, tuple[int, str]]:
    """Writes pages, whose faulty line ends with ``# here``; what will be said of each."""
    wanted = {}
    for name, (body, words) in faults.items():
        project.page(name, body, head=SOON if name in NEVER_ENDS else "")
        wanted[name] = (project.line(f"docs/{name}.md", HERE), words)
    return wanted


# ---- what goes wrong while a page runs ---------------------------------------------------------


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
    wanted = {}
    for name, fault in READING.items():
        well = f"---\n{KERNEL}---\n" if fault.kernel else ""
        head = well if fault.head is None else fault.head
        project.write(f"docs/{name}.md", head.encode() + fault.body)
        above = 0 if fault.head is not None else well.count("\n")
        wanted[name] = (fault.line + above, fault.words)
    with project.unharmed():
        assert_told(project.build(), wanted)
    assert project.counted() == 0


def test_what_cannot_be_woven_is_told_with_its_line(project):
    wanted = add(project, WEAVING)
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


def test_entries_that_cannot_be_kept_are_told_by_one(project):
    project.page("new", FINE)
    for name in ("good", "new"):
        entry = project.root / f".cache/rnnnotes/pages/{name}.entry"
        entry.unlink(missing_ok=True)
        entry.mkdir()
    with project.unharmed():
        build = project.build()
    assert build.code != 0
    (message,) = build.errors
    assert ".entry cannot be written" in message and "so it is with 1 more)" in message
    assert machinery(build.text) == []


def test_a_report_that_cannot_be_written(project):
    shutil.rmtree(project.root / "build")
    (project.root / "build").write_text("in the way")
    with project.unharmed():
        build = project.build()
    assert build.code != 0
    assert len(build.errors) == 1 and "build/report.json cannot be written" in build.errors[0]
    assert machinery(build.text) == []


def test_a_report_that_cannot_be_written_hides_no_other_fault(project):
    page, (body, words) = "raises", RUNNING["raises"]
    project.page(page, body)
    shutil.rmtree(project.root / "build")
    (project.root / "build").write_text("in the way")
    with project.unharmed():
        build = project.build()
    assert_told(build, {page: (project.line(f"docs/{page}.md", HERE), words)})
    assert "build/report.json cannot be written" in build.text


# A limit to the length of files stands for a full disk (the proofs have a real one): writing fails
# in the middle of a file.
LIMITED = """\
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.argv = ["mkdocs", "build"]
runpy.run_module("mkdocs", run_name="__main__")
"""


def limited(project: Project, limit: int) -> Build:
    return project.finish(project.start("-c", LIMITED.format(limit=limit)))


def test_a_site_that_there_is_no_room_for(project):
    project.write("docs/large.bin", bytes(3_000_000))
    with project.unharmed():
        build = limited(project, 2_000_000)
    assert build.code == 1
    assert len(build.errors) == 1, build.text
    assert f"the site cannot be written in {project.root}, where" in build.errors[0]
    assert "File too large" in build.errors[0] and machinery(build.text) == []
    assert set(project.built().values()) == {"kept"}


def test_a_cache_that_there_is_no_room_in_is_told_before_anything_runs(project):
    project.replace("docs/fine.md", "6 * 7)", "7 * 6)")
    with project.unharmed():
        build = limited(project, 500_000)
    assert build.code == 1 and len(build.errors) == 1, build.text
    assert "/pages cannot be written (1 MB of room is wanted): " in build.errors[0]
    assert machinery(build.text) == [] and project.counted() == 0


def test_a_page_whose_reading_cannot_be_written_down_is_not_kept(project):
    """Its block passes over every error, and so over one in the middle of its trace."""
    project.write("docs/data.txt", "1")
    project.page(
        "reads",
        """\
        # Reads

        ```python
        import contextlib
        import resource  # here
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        with contextlib.suppress(OSError):
            print(open("data.txt").read())
        ```
        """,
    )
    line = project.line("docs/reads.md", HERE) - 1
    with project.unharmed():
        assert_told(project.build(), {"reads": (line, "which files the page reads cannot be")})


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


def test_what_killed_builds_have_left_is_cleared_away(project):
    assert project.weave("out").code == 0
    cache = project.root / ".cache/rnnnotes"
    half = [
        cache / "pages/.writing-a",
        cache / "made/.writing-b",
        project.root / "build/.writing-c",
    ]
    (cache / "pages/part").mkdir()
    half.append(cache / "pages/part/.writing-d")
    for file in half:
        file.write_text("half")
    folders = [project.root / name for name in (".site.1", ".site.22", ".out.1")]
    for folder in folders:
        folder.mkdir()
    assert set(project.built().values()) == {"kept"}
    assert project.weave("out").code == 0
    assert [path for path in half + folders if path.exists()] == []


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
    woven = project.weave("out")
    assert woven.code != 0 and "another build is running in this folder" in woven.text
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
    project.page("long", "# L\n\n```python\nprint('y' * 1_000_000)\n```\n")
    project.write("docs/bom.md", b"\xef\xbb\xbf# With a byte order mark\n\nText.\n")
    build = project.build()
    assert build.code == 0, build.text
    assert "nothing to run: 42." in project.html("no-blocks")
    assert "line ends" in project.html("windows")
    assert project.html("loud").count("x" * 99) >= 100_000
    assert "y" * 1_000_000 in project.html("long")
    assert "With a byte order mark</h1>" in re.sub(r"<a .*?</a>", "", project.html("bom"))
