"""Every bad input of tests/test_site_faults.py again, in real pages of the whole site.

Each is told once, with its file and line; the last good site stays to the byte and nothing is left
over; mended, the next build gives the site that was there before.
"""

import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from kept_project import CHEAP, KEPT, edited, kept_project
from whole_project import WholeProject

from bad_pages import HERE, NEVER_ENDS, READING, RUNNING, SOON, WEAVING, assert_told
from rnnnotes.site.blocks import read_page
from site_project import Build, machinery, tree

Wanted = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> WholeProject:
    return kept_project(tmp_path_factory.mktemp("whole") / "project")


@pytest.fixture
def scratch():
    """The temporary folder of a build; a short path, for the addresses of kernels lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="rn"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def spoil(project, scratch):
    """Builds with some files spoiled, asks for what is said, and then for the same site again."""

    def spoil(texts: Mapping[str, bytes], told: Callable[[Build], None]) -> None:
        pages = project.root / KEPT / "pages"
        site, kept = tree(project.site), tree(pages)
        with edited(project, texts):
            told(project.build(TMPDIR=str(scratch)))
            assert tree(project.site) == site
            after = tree(pages)
            for entry, digest in kept.items():
                if f"docs/{entry.removesuffix('.entry')}.md" not in texts:
                    assert after[entry] == digest, entry
            project.assert_nothing_left()
            assert left_in(scratch) == []
        status = project.built(TMPDIR=str(scratch))
        assert all(f"docs/{page}.md" in texts for page, word in status.items() if word == "ran")
        assert tree(project.site) == site
        project.assert_nothing_left()
        assert left_in(scratch) == []

    return spoil


def left_in(scratch: Path) -> list[str]:
    """Names; torch makes a folder for its compiler, as it does wherever it is loaded."""
    return [file.name for file in scratch.iterdir() if not file.name.startswith("torchinductor_")]


def text_of(project: WholeProject, page: str) -> str:
    return (project.docs / f"{page}.md").read_text("utf-8")


def line_of(text: str, needle: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


def notebooks(project: WholeProject) -> list[str]:
    """Pages that run, but for those that are cheap; last those with settings of their own."""
    names = [page.name for page in project.pages if page.name not in CHEAP]
    return sorted(names, key=lambda name: "\nrnnnotes:" in text_of(project, name))


def prose_pages(project: WholeProject) -> list[str]:
    """Pages without a kernel."""
    found = []
    for file in sorted(project.docs.rglob("*.md")):
        page = read_page(file, project.docs, project.root)
        if not page.is_notebook:
            found.append(page.name)
    return found


def body_of(text: str) -> str:
    """What stands below the front matter."""
    return text.split("\n---\n", 1)[1] if text.startswith("---\n") else text


def without_title(body: str) -> str:
    return dedent(body).partition("\n")[2]


def first_block(text: str) -> int:
    """Where the first block of a page begins; nothing runs before it."""
    return text.index("\n```python") + 1


# ---- pages -------------------------------------------------------------------------------------


def test_pages_that_cannot_be_read(project, spoil):
    running, prose = iter(notebooks(project)), iter(prose_pages(project))
    texts: dict[str, bytes] = {}
    wanted: Wanted = {}
    for fault in READING.values():
        page = next(running if fault.kernel else prose)
        text = text_of(project, page).rstrip("\n") + "\n\n"
        if fault.head is not None:
            own = body_of(text).replace("\n---\n", "\n***\n")
            texts[f"docs/{page}.md"] = (fault.head + own).encode()
            wanted[page] = (fault.line, fault.words)
        else:
            texts[f"docs/{page}.md"] = text.encode() + fault.body
            wanted[page] = (text.count("\n") + fault.line, fault.words)
    assert len(texts) == len(READING)
    spoil(texts, lambda build: assert_told(build, wanted))
    assert project.ran() == set()


def test_pages_that_fail_while_they_run(project, spoil):
    # A computed value comes after all blocks: on a page that runs in a second.
    pages = iter(notebooks(project))
    texts: dict[str, bytes] = {}
    wanted: Wanted = {}
    # Those first that need a page without a setting of its own.
    for name in sorted(RUNNING, key=lambda name: name not in NEVER_ENDS):
        body, words = RUNNING[name]
        page = "reference/notation" if name == "value" else next(pages)
        text = text_of(project, page)
        at = first_block(text)
        text = f"{text[:at]}{without_title(body)}\n{text[at:]}"
        if name in NEVER_ENDS:
            assert "\nrnnnotes:" not in text, page
            text = text.replace("---\n", f"---\n{SOON}", 1)
        texts[f"docs/{page}.md"] = text.encode()
        wanted[page] = (line_of(text, HERE), words)
    assert len(texts) == len(RUNNING)

    def told(build: Build) -> None:
        assert_told(build, wanted)
        failed = {page for page, word in project.status().items() if word == "failed"}
        assert failed == wanted.keys()

    spoil(texts, told)


def test_pages_that_cannot_be_woven(project, spoil):
    cheap, kept = iter(CHEAP), iter(notebooks(project))
    texts: dict[str, bytes] = {}
    wanted: Wanted = {}
    for body, words in WEAVING.values():
        page = next(cheap if "```python\n" in body else kept)
        text = text_of(project, page).rstrip("\n") + "\n\n" + without_title(body)
        texts[f"docs/{page}.md"] = text.encode()
        wanted[page] = (line_of(text, HERE), words)
    assert len(texts) == len(WEAVING)
    spoil(texts, lambda build: assert_told(build, wanted))


def test_links_that_lead_nowhere(project, spoil):
    faults = {
        "[link](nowhere.md) # here": "nowhere.md",
        "[verdict](../gradients/vanishing.md#A99) # here": "gradients/vanishing.md#A99",
        "[part](#no-such-part) # here": "'#no-such-part'",
        "[absolute](/gradients/vanishing/) # here": "/gradients/vanishing/",
    }
    pages = [name for name in notebooks(project) if name.count("/") == 1]
    texts: dict[str, bytes] = {}
    wanted: Wanted = {}
    for (link, words), page in zip(faults.items(), pages, strict=False):
        text = text_of(project, page).rstrip("\n") + f"\n\nProse and a\n{link}.\n"
        texts[f"docs/{page}.md"] = text.encode()
        wanted[page] = (line_of(text, HERE), words)
    spoil(texts, lambda build: assert_told(build, wanted))


# ---- statements --------------------------------------------------------------------------------


def rows_of(project: WholeProject) -> list[dict[str, str]]:
    return yaml.safe_load((project.docs / "statements.yml").read_text("utf-8"))


def dumped(rows: list[dict[str, str]]) -> bytes:
    return yaml.safe_dump(rows, allow_unicode=True).encode()


def settled_at(project: WholeProject, row: Mapping[str, str]) -> int:
    """The first line of the block that records a statement."""
    file = project.docs / f"{row['page']}.md"
    page = read_page(file, project.docs, project.root)
    named = next(block for block in page.blocks if f'"{row["id"]}"' in block.source)
    claim = re.search(rf'(\w+) = rn\.\w+\(\s*"{row["id"]}"', named.source)
    if claim is None:  # cited, where it is named
        return named.line
    settle = f"{claim[1]}.settle("
    return next(block.line for block in page.blocks if settle in block.source)


def test_statements_unknown_elsewhere_and_twice(project, spoil):
    rows = rows_of(project)
    sources = (project.docs / "references.bib").read_text("utf-8")
    # An id that a source names would be told there.
    plain = [row for row in rows if not re.search(rf"\b{row['id']}\b", sources)]
    homes = {row["page"] for row in plain}
    # One of each home, so that each page has one message.
    unknown, elsewhere, twice = (
        next(row for row in plain if row["page"] == home) for home in sorted(homes)[:3]
    )
    other = sorted(homes)[3]
    wanted = {
        unknown["page"]: (settled_at(project, unknown), f"the id {unknown['id']!r}"),
        elsewhere["page"]: (
            settled_at(project, elsewhere),
            f"the statement {elsewhere['id']} belongs on the page {other}",
        ),
    }
    text = text_of(project, "reference/notation").rstrip("\n") + (
        "\n\n```python\nimport rnnnotes as rn  # here\n"
        f'rn.cite("{twice["id"]}", because="it is there")\n```\n'
    )
    wanted["reference/notation"] = (
        line_of(text, HERE),
        f"the statement {twice['id']} is recorded twice; first at docs/{twice['page']}.md:"
        f"{settled_at(project, twice)}",
    )
    unknown["id"], elsewhere["page"] = "A999", other
    texts = {"docs/statements.yml": dumped(rows), "docs/reference/notation.md": text.encode()}
    spoil(texts, lambda build: assert_told(build, wanted))


def test_statements_that_no_page_records_or_whose_page_is_not_there(project, spoil):
    rows = rows_of(project)
    pages = notebooks(project)[:2]
    known = {"kind": "claim", "says": "Something.", "settle": "Measure it."}
    added = [known | {"id": f"A99{n}", "page": page} for n, page in enumerate(pages)]
    added.append(known | {"id": "B999", "page": "not/yet"})

    def told(build: Build) -> None:
        lines = {row["page"]: f"the page never records the statement {row['id']}" for row in added}
        assert_told(build, {page: (1, lines[page]) for page in pages})
        assert "these statements have no page: B999" in build.text

    spoil({"docs/statements.yml": dumped(rows + added)}, told)


@pytest.mark.parametrize("fault", ["no-yaml", "half-a-row", "empty", "words", "doubled"])
def test_a_list_of_statements_that_cannot_be_read(project, spoil, fault):
    text = (project.docs / "statements.yml").read_text("utf-8")
    rows = rows_of(project)
    spoiled = {
        "no-yaml": text.encode() + b"- {id: A1, page: good",
        "half-a-row": dumped([*rows, {"id": "A999", "page": "index"}]),
        "empty": b"",
        "words": b"just words",
        "doubled": dumped([*rows, rows[0]]),
    }[fault]

    def told(build: Build) -> None:
        assert build.code != 0 and len(build.errors) == 1, build.text
        assert "docs/statements.yml" in build.errors[0] and machinery(build.text) == []
        assert fault != "doubled" or f"the id {rows[0]['id']} stands there twice" in build.text

    spoil({"docs/statements.yml": spoiled}, told)


# ---- the cache ---------------------------------------------------------------------------------


def test_damaged_entries_are_run_again(project):
    """Cut off, altered in a letter, foreign bytes, empty; and some of what is made of them."""
    pages, made = project.root / KEPT / "pages", project.root / KEPT / "made"
    site, entries = tree(project.site), tree(pages)
    cut, altered, foreign, empty = (pages / f"{name}.entry" for name in CHEAP)
    cut.write_bytes(cut.read_bytes()[:-50])
    text = bytearray(altered.read_bytes())
    text[len(text) // 2] ^= 1
    altered.write_bytes(text)
    foreign.write_bytes(os.urandom(500))
    empty.write_bytes(b"")
    chosen = random.Random(0).sample(sorted(made.iterdir()), 40)
    for file in chosen:
        file.write_bytes(file.read_bytes()[:-70] + b"x" * 70)
    project.built()
    assert project.ran() == set(CHEAP)
    assert tree(project.site) == site and tree(pages).keys() == entries.keys()
    project.assert_nothing_left()
