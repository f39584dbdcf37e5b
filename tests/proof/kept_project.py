"""A copy of the whole project, built; what is kept of the pages is taken along."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from whole_project import WholeProject

from bad_pages import REAL, SHELF
from site_project import REPOSITORY

KEPT = ".cache/rnnnotes"
# Pages that run in seconds, and come out the same each time.
CHEAP = ("index", "reference/api/index", "reference/notation", "reference/bibliography")


def kept_project(root: Path) -> WholeProject:
    """What is kept in the repository saves the copy's first build from running all pages."""
    project = WholeProject.create(root)
    if (REPOSITORY / KEPT).is_dir():
        shutil.copytree(REPOSITORY / KEPT, root / KEPT)
    project.write("src/shelf.py", SHELF)
    project.write("snippets/real.py", REAL)
    project.built()
    # Once more: now there is byte code of all that the pages import, and the cards are drawn.
    assert set(project.built().values()) == {"kept"}
    return project


@contextmanager
def edited(project: WholeProject, texts: Mapping[str, bytes]) -> Iterator[None]:
    """Files with other content, for a while."""
    before = {path: (project.root / path).read_bytes() for path in texts}
    try:
        for path, text in texts.items():
            assert text != before[path], path
            project.write(path, text)
        yield
    finally:
        for path, text in before.items():
            project.write(path, text)
