"""A clock that jumps, between builds and in the middle of one: nothing hangs, nothing is stale.

A build and all its processes get another time of day from a small library that is loaded before
all others. What passes is not changed, as when somebody sets the clock. (libfaketime shifts what a
process sleeps as well, and Python then fails.) Times of files are set by hand.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from site_project import COUNTED, Project, tree, until

# Adds the seconds in the file $SHIFT to the time of day, and to nothing else.
CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) {
    char text[32] = "";
    const char *name = getenv("SHIFT");
    int file = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        syscall(SYS_read, file, text, sizeof text - 1);
        syscall(SYS_close, file);
    }
    return atoll(text);
}
int clock_gettime(clockid_t clock, struct timespec *out) {
    int status = syscall(SYS_clock_gettime, clock, out);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) out->tv_sec += shift();
    return status;
}
int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""
NONE, TEN_YEARS, DAY = 0, 3652 * 86_400, -86_400
SHIFTS = {"ten years on": TEN_YEARS, "a day back": DAY}

PAGES = {
    "figure": (
        "#| caption: C\n#| description: D\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    ),
    "module": "from shelf import double\nprint(double(2))",
    "worker": (
        "from joblib import Parallel, delayed\n"
        "def work(number):\n    from shelf import double\n    return double(number)\n"
        "print(Parallel(n_jobs=2)(delayed(work)(number) for number in range(3)))"
    ),
}
# It waits, so that there is a middle of the build to jump in, and measures what passes.
WAITS = """\
# Waits

```python
import time
from pathlib import Path
start, day = time.monotonic(), time.time()
Path("{folder}/started").touch()
while not Path("{folder}/go").exists():
    time.sleep(0.02)
print(abs(time.time() - day) > 3600, time.monotonic() - start < 3600)
```

```python
print("and on")
```
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("clock") / "project")
    project.write("src/shelf.py", "def double(x):\n    return 2 * x\n")
    for name, code in PAGES.items():
        project.page(name, f"# {name}\n\n```python\n{code}\n{COUNTED}\n```\n\nAnd $x^2$.\n")
    project.built()
    assert set(project.built().values()) == {"kept"}
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    return original.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("library")
    (folder / "clock.c").write_text(CLOCK)
    compiling = ["cc", "-shared", "-fPIC", "-o", "clock.so", "clock.c"]
    subprocess.run(compiling, cwd=folder, check=True)
    return folder / "clock.so"


@pytest.fixture
def clock(library, tmp_path):
    """Sets the clock of builds; the environment in which they see it."""
    file = tmp_path / "clock"

    def clock(shift: int) -> dict[str, str]:
        new = tmp_path / "clock.new"
        new.write_text(str(shift))
        new.replace(file)
        return {"LD_PRELOAD": str(library), "SHIFT": str(file)}

    return clock


def changed(project: Project) -> float:
    """By how many hours the clock of the last build was wrong."""
    return (project.report()["written"] - time.time()) / 3600


def set_times(project: Project, when: float) -> None:
    for folder in ("src", "docs", "snippets", ".cache", "site"):
        for file in (project.root / folder).rglob("*"):
            os.utime(file, (when, when))


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_between_builds_nothing_runs_and_the_site_is_the_same(project, clock, shift):
    before = tree(project.site)
    assert set(project.built(**clock(shift)).values()) == {"kept"}
    assert abs(changed(project)) > 23, "the build did not see the clock jump"
    assert tree(project.site) == before
    assert set(project.built().values()) == {"kept"}
    assert tree(project.site) == before


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_a_cold_build_at_another_time_comes_to_the_same(project, clock, shift):
    before = tree(project.site)
    for entry in (project.root / ".cache/rnnnotes/pages").glob("*.entry"):
        entry.unlink()
    assert set(project.built(**clock(shift)).values()) == {"ran"}
    assert tree(project.site) == before
    project.assert_nothing_left()


@pytest.mark.parametrize(
    ("first", "then"),
    [(NONE, TEN_YEARS), (NONE, DAY), (TEN_YEARS, NONE)],
    ids=["forwards", "backwards", "back by ten years"],
)
def test_in_the_middle_of_a_build(project, clock, tmp_path, first, then):
    """While one kernel is in a block, others start, and the build waits for all."""
    before = tree(project.site)
    for entry in (project.root / ".cache/rnnnotes/pages").glob("*.entry"):
        entry.unlink()
    project.page("waits", WAITS.replace("{folder}", str(tmp_path)))
    started = time.monotonic()
    process = project.start(**clock(first))
    until((tmp_path / "started").exists, 150, lambda: project.finish(process).text)
    clock(then)
    (tmp_path / "go").touch()
    build = project.finish(process)
    assert build.code == 0, build.text
    assert set(project.status().values()) == {"ran"}
    assert "True True" in project.html("waits") and "and on" in project.html("waits")
    taken = time.monotonic() - started
    seconds = [row["seconds"] for row in project.report()["pages"]]
    assert all(0 < spent <= taken for spent in seconds), (seconds, taken)
    assert set(project.built().values()) == {"kept"}
    (project.docs / "waits.md").unlink()
    assert set(project.built().values()) == {"kept"}
    assert tree(project.site) == before
    project.assert_nothing_left()


@pytest.mark.parametrize("first", [TEN_YEARS, DAY], ids=["from the future", "from the past"])
def test_a_block_is_stopped_after_its_seconds_though_the_clock_jumps(
    project, clock, tmp_path, first
):
    """A limit by the time of day would come at once, or in a day."""
    started_file = tmp_path / "started"
    code = f"from pathlib import Path\nPath('{started_file}').touch()\nwhile True: pass"
    project.page("endless", f"# E\n\n```python\n{code}\n```\n", head="rnnnotes: {time_limit: 5}\n")
    with project.unharmed():
        process = project.start(**clock(NONE))
        until(started_file.exists, 150, lambda: project.finish(process).text)
        started = time.monotonic()
        clock(first)
        build = project.finish(process)
    assert "docs/endless.md:" in build.text and "ran for more than 5 s" in build.text
    assert 2 < time.monotonic() - started < 60


@pytest.mark.parametrize("when", [0.0, 4e9], ids=["1970", "2096"])
def test_times_of_files_say_nothing(project, when):
    before = tree(project.site)
    set_times(project, when)
    assert set(project.built().values()) == {"kept"}
    assert tree(project.site) == before
    # An edit that is older than what it replaces, and one that has the very same time.
    file = project.root / "src/shelf.py"
    for text, time_of_it, output in [("3 * x", when, ">6\n"), ("4 * x", 86_400.0, ">8\n")]:
        project.write("src/shelf.py", f"def double(x):\n    return {text}\n")
        os.utime(file, (time_of_it, time_of_it))
        project.built()
        assert project.ran() == {"module", "worker"}
        assert output in project.html("module")
    # The first content with a newer time: run again, for only the last outputs are kept.
    project.write("src/shelf.py", "def double(x):\n    return 2 * x\n")
    project.built()
    assert project.ran() == {"module", "worker"} and tree(project.site) == before
    os.utime(file, (5e9, 5e9))
    assert set(project.built().values()) == {"kept"}
    assert tree(project.site) == before
