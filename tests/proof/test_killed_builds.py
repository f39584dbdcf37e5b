"""Builds of the whole site that are killed at random moments, twenty times.

The site that is there after is the old one or the new one, whole; no process outlives the build;
and the next build comes to the very site and the very outputs of one that nobody has disturbed.

Moments are drawn in each phase of a build, and at the very writing of the cache, by a seed that
stands in the names of the tests; ``RNNNOTES_KILLS=seed`` draws others.
"""

import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import Any

import pytest
from kept_project import CHEAP, KEPT, kept_project
from whole_project import WholeProject

from site_project import tree, until

SEED = int(os.environ.get("RNNNOTES_KILLS", "20261201"))
# Where in a build, and how often. Each begins with something that can be seen from outside.
PHASES = {
    "reading": 3,
    "running": 5,
    "storing": 3,  # a kept page is half-written
    "making": 3,  # a kept formula, notebook or picture is half-written
    "writing": 3,
    "publishing": 3,
}
MOMENTS = [phase for phase, count in PHASES.items() for _ in range(count)]
PATIENCE = 600  # seconds until a phase begins, on a busy machine


def begun(project: WholeProject) -> dict[str, Callable[[], bool]]:
    """Whether each phase of a running build has begun."""
    root, kept = project.root, project.root / KEPT

    def staged(path: str) -> bool:
        return any((folder / path).exists() for folder in root.glob(".site.*"))

    return {
        "reading": lambda: True,
        "running": lambda: any("rnnnotes.site.kernel" in line for line in project.processes()),
        "storing": lambda: any((kept / "pages").rglob(".writing-*")),
        "making": lambda: any((kept / "made").glob(".writing-*")),
        "writing": lambda: staged("assets"),
        "publishing": lambda: staged("search/search_index.json"),  # the last that is written
    }


def wait(process: Popen[str], condition: Callable[[], bool]) -> bool:
    """Whether it came to that before the build ended."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the build came to a stand"
    return True


def runs(project: WholeProject) -> dict[str, Any]:
    """What is kept of every page, but for the time that it took."""
    found = {}
    for page in project.pages:
        text = (project.root / KEPT / "pages" / f"{page.name}.entry").read_text("utf-8")
        entry = json.loads(text.partition("\n")[2])
        for key in ("seconds", "cpu_seconds"):
            del entry["run"][key]
        found[page.name] = entry
    return found


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A short path: the addresses of kernels lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="rn"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def known(tmp_path_factory, scratch) -> SimpleNamespace:
    """The project before an edit of some pages, and what a build comes to that runs to its end."""
    folder = tmp_path_factory.mktemp("killed")
    project = kept_project(folder / "project")
    old = tree(project.site)
    for number, name in enumerate(CHEAP):  # another block, another formula, other prose
        with (project.docs / f"{name}.md").open("a") as page:
            page.write(f"\n\n```python\nprint({number}, 6 * 7)\n```\n\nAnd $x^{{99{number}}}$.\n")
    # Of one page, half an entry is there.
    half = project.root / KEPT / "pages" / f"{CHEAP[0]}.entry"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    for name in ("site", KEPT):
        shutil.copytree(project.root / name, folder / "before" / name)

    process = project.start(TMPDIR=str(scratch))
    times = {}
    for phase, condition in begun(project).items():
        if phase not in ("storing", "making"):
            assert wait(process, condition), phase
            times[phase] = time.monotonic()
    build = project.finish(process)
    assert build.code == 0, build.text
    assert project.ran() == set(CHEAP)
    ends = [*list(times.values())[1:], time.monotonic()]
    lasts = {phase: end - times[phase] for phase, end in zip(times, ends, strict=True)}
    new = tree(project.site)
    assert new != old
    return SimpleNamespace(
        project=project,
        before=folder / "before",
        old=old,
        new=new,
        runs=runs(project),
        lasts=lasts,
    )


def killed(known: SimpleNamespace, phase: str, chance: random.Random, env: dict[str, str]) -> str:
    """Starts a build and kills it in a phase; how it was done. Later than its end is too late."""
    project = known.project
    condition = begun(project)[phase]
    longest = known.lasts.get(phase, 0.0)  # half-written files live for a moment only
    for _ in range(8):
        for name in ("site", KEPT):
            shutil.rmtree(project.root / name)
            shutil.copytree(known.before / name, project.root / name)
        process = project.start(**env)
        if wait(process, condition):
            delay = chance.uniform(0, longest)
            time.sleep(delay)
            alone = chance.random() < 0.3
            if process.poll() is None:
                (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
                if project.finish(process).code == -signal.SIGKILL:
                    return f"{delay:.3f} s into {phase}, {'main process' if alone else 'group'}"
        project.finish(process)
        longest *= 0.7
    raise AssertionError(f"no build could be killed while {phase}")


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=lambda n: f"{SEED}-{n}-{MOMENTS[n]}")
def test_a_killed_build_is_as_if_it_had_never_been(known, scratch, number):
    project = known.project
    chance = random.Random(SEED * 1000 + number)
    how = killed(known, MOMENTS[number], chance, {"TMPDIR": str(scratch)})
    print(how)
    until(lambda: not project.processes(), 30, lambda: f"{how}: left: {project.processes()}")
    assert tree(project.site) in (known.old, known.new), how
    # A folder that was made before there was a process to remove it is empty.
    assert [path for path in scratch.rglob("*") if path.is_file()] == [], how

    status = project.built(TMPDIR=str(scratch))
    assert {page for page, word in status.items() if word == "ran"} <= set(CHEAP), how
    assert tree(project.site) == known.new, how
    assert runs(project) == known.runs, how
    project.assert_nothing_left()
