"""Builds on a disk that is really full: one clear message, nothing harmed, nothing trusted later.

The disk is a small file system in memory, mounted where the cache, the site, the report or the
temporary folder is. Only root may mount one, or a user who is root through sudo without a password.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from site_project import COUNTED, Build, Project, machinery, tree

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
PAGES = ("one", "two", "three")


class Disk:
    """A file system of its own in a folder; what was in the folder is on it."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        self.filler = folder / "filler"
        aside = folder.with_name(f"{folder.name}-aside")
        if folder.exists():
            folder.rename(aside)
        folder.mkdir()
        options = f"size={size},uid={os.getuid()},gid={os.getgid()}"
        mount = [*ROOT, "mount", "-t", "tmpfs", "-o", options, "rnnnotes", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode:
            folder.rmdir()
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        if aside.exists():
            shutil.copytree(aside, folder, dirs_exist_ok=True)
            shutil.rmtree(aside)

    def fill(self, but: int) -> None:
        """Leaves so many bytes."""
        with self.filler.open("wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(4096))
            except OSError:
                pass
        os.truncate(self.filler, max(0, self.filler.stat().st_size - but))

    def empty(self) -> None:
        self.filler.unlink()

    def remove(self) -> None:
        subprocess.run([*ROOT, "umount", "-l", str(self.folder)], check=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("full") / "project")
    for page in PAGES:
        project.page(page, f"# {page}\n\n```python\n{COUNTED}\nprint('{page}', 6 * 7)\n```\n")
    assert set(project.built().values()) == {"ran"}
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    return original.copy(tmp_path / "project")


@pytest.fixture
def disk() -> Iterator[Callable[[Path, str], Disk]]:
    made: list[Disk] = []

    def disk(folder: Path, size: str) -> Disk:
        made.append(Disk(folder, size))
        return made[-1]

    yield disk
    for each in made:
        each.remove()


def edit(project: Project, page: str, output: int) -> None:
    """Makes the page stale, with an output of so many bytes."""
    project.replace(f"docs/{page}.md", "6 * 7", f"7 * 6, 'x' * {output}")


def assert_refused(build: Build, folder: Path) -> None:
    """One message, which names the folder and what is the matter with it."""
    assert build.code == 1, build.text
    (message,) = build.errors
    assert str(folder) in message and "cannot be written" in message, message
    assert "No space left on device" in message, message
    assert "\n" not in message and machinery(build.text) == [], build.text


def assert_stopped(project: Project, folder: Path) -> None:
    """A build is refused, the site is as it was, and nothing is left behind."""
    site = tree(project.site)
    assert_refused(project.build(), folder)
    assert tree(project.site) == site
    project.assert_nothing_left()


def assert_mended(project: Project, *arguments: str, **env: str) -> None:
    """There is room: the build is what it is in a folder where there always was."""
    undisturbed = project.copy(project.root.with_name("undisturbed"))
    for name in (".cache", "site", "build"):
        shutil.rmtree(undisturbed.root / name)
    undisturbed.built()
    project.built(*arguments, **env)
    site = Path(arguments[1]) if arguments else project.site
    assert tree(site) == tree(undisturbed.site)
    project.assert_nothing_left()
    assert set(project.built(*arguments, **env).values()) == {"kept"}


@pytest.mark.parametrize("left", [0, 4096, 100_000])
def test_the_disk_of_the_cache(project, disk, left):
    """Nothing is left, or too little: told before anything runs."""
    full = disk(project.root / ".cache", "8m")
    edit(project, "one", 10)
    full.fill(left)
    with project.unharmed():
        assert_refused(project.build(), project.root / ".cache/rnnnotes")
    assert project.counted() == 0
    full.empty()
    assert_mended(project)


def test_the_disk_of_the_cache_is_full_before_it_is_there(project, disk):
    shutil.rmtree(project.root / ".cache")
    full = disk(project.root / ".cache", "8m")
    full.fill(0)
    assert_stopped(project, project.root / ".cache")
    full.empty()
    assert_mended(project)


def test_the_disk_of_the_cache_fills_up_while_pages_run(project, disk):
    """There is room for the small pages and not for the large one; they are kept."""
    full = disk(project.root / ".cache", "12m")
    for page, output in zip(PAGES, (10, 10, 4_000_000), strict=True):
        edit(project, page, output)
    full.fill(1_800_000)
    assert_stopped(project, project.root / ".cache/rnnnotes/pages/three.entry")
    full.empty()
    assert project.built() == {"one": "kept", "two": "kept", "three": "ran"}
    assert_mended(project)


@pytest.mark.parametrize("left", [0, 300_000, 1_500_000])
def test_the_disk_of_the_site(project, disk, tmp_path, left):
    """A disk that holds the old site, and a part of the new one beside it."""
    full = disk(project.root.with_name("disk"), "32m")
    site = full.folder / "site"
    project.built("-d", str(site))
    before = tree(site)
    project.replace("docs/one.md", "# one", "# One")  # another site, of the same outputs
    full.fill(left)
    with project.unharmed():
        build = project.build("-d", str(site))
    assert_refused(build, full.folder)
    assert tree(site) == before and not list(full.folder.glob(".site.*"))
    full.empty()
    assert_mended(project, "-d", str(site))


def test_a_site_that_is_a_disk_of_its_own_cannot_be_replaced(project, disk):
    """Two folders are swapped, and a mounted one cannot be."""
    mounted = disk(project.root.with_name("disk"), "32m")
    (mounted.folder / "old").write_text("old")
    build = project.build("-d", str(mounted.folder))
    assert build.code == 1, build.text
    (message,) = build.errors
    assert f"the site cannot be written in {mounted.folder.parent}" in message
    assert machinery(build.text) == []
    assert [file.name for file in mounted.folder.iterdir()] == ["old"]
    assert not list(mounted.folder.parent.glob(".disk.*"))


def test_the_disk_of_the_report(project, disk):
    full = disk(project.root / "build", "64k")
    edit(project, "one", 10)
    full.fill(0)
    assert_stopped(project, project.root / "build/report.json")
    full.empty()
    assert_mended(project)


@pytest.mark.parametrize("left", [4096, 16_384, 500_000])
def test_the_disk_of_the_temporary_folder(project, disk, left):
    """Told before anything runs. (Python looks for another folder if not even a byte is left.)"""
    full = disk(project.root.with_name("t"), "4m")
    edit(project, "one", 10)
    full.fill(left)
    with project.unharmed():
        assert_refused(project.build(TMPDIR=str(full.folder)), full.folder)
    assert project.counted() == 0
    assert [file.name for file in full.folder.iterdir()] == ["filler"]
    full.empty()
    assert_mended(project, TMPDIR=str(full.folder))
    assert list(full.folder.iterdir()) == []


def test_the_disk_of_the_temporary_folder_fills_up_while_pages_run(project, disk):
    """A page fills it and then reads a file: what it has read is not known, and nothing is kept."""
    full = disk(project.root.with_name("t"), "4m")
    project.write("docs/data/table.txt", "1")
    fill = f"""\
        import contextlib
        with contextlib.suppress(OSError), open("{full.filler}", "wb", buffering=0) as out:
            while True:
                out.write(bytes(4096))
        """
    block = f"\n```python\n{fill}".replace("\n        ", "\n")
    lists = 'for number in range(200):\n    open(f"data/{number:0>150}.txt").read()\n'
    for number in range(200):
        project.write(f"docs/data/{number:0>150}.txt", "1")
    page = project.docs / "one.md"
    page.write_text(f"{page.read_text('utf-8')}{block}{lists}```\n", "utf-8")
    site = tree(project.site)
    build = project.build(TMPDIR=str(full.folder))
    assert build.code == 1, build.text
    (message,) = build.errors
    assert message.startswith("docs/one.md:") and "cannot be written down" in message, message
    assert str(full.folder) in message and machinery(build.text) == []
    assert tree(project.site) == site
    project.assert_nothing_left()
