"""Sections of files by name: what a page shows of the package is what the package is."""

import re

import pytest

from rnnnotes.site.sources import SectionError, section
from woven_page import REPOSITORY

MODULE = '''\
"""A module."""

import functools

LIMIT = 3
TABLE: dict[str, int] = {
    "a": 1,
}


@functools.cache
@functools.wraps(print)
def decorated(x):
    """Words.

    More words.
    """
    return x  # --8<-- [start:inline]


class Outer:
    """An outer class."""

    size = 4

    def method(self):
        return 1

    @property
    def view(self):
        return 2

    class Inner:
        def deep(self):
            if True:
                return 3


async def waits():
    pass


# --8<-- [start:part]
first = 1

# --8<-- [start:inner-part]
indented = 2
more = 3
# --8<-- [end:inner-part]
last = 4
# --8<-- [end:part]
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/module.py").write_text(MODULE)
    (tmp_path / "notes.sh").write_text(
        "#!/bin/sh\nif true; then\n"
        "  # --8<-- [start:a.b]\n  echo a\n\n    echo b\n  # --8<-- [end:a.b]\nfi\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("decorated", "@functools.cache", "    return x  # --8<-- [start:inline]"),
        ("Outer", "class Outer:", "                return 3"),
        ("waits", "async def waits():", "    pass"),
        ("LIMIT", "LIMIT = 3", "LIMIT = 3"),
        ("TABLE", "TABLE: dict[str, int] = {", "}"),
    ],
)
def test_a_definition_is_shown_whole_with_its_decorators(root, name, first, last):
    text, line = section(root, "src/module.py", name)
    lines = MODULE.split("\n")
    start, end = lines.index(first), lines.index(last)
    expected = [one for one in lines[start : end + 1] if "--8<--" not in one]
    assert text == "\n".join(expected)
    assert line == start + 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Outer.method", "def method(self):\n    return 1"),
        ("Outer.view", "@property\ndef view(self):\n    return 2"),
        ("Outer.size", "size = 4"),
        (
            "Outer.Inner",
            "class Inner:\n    def deep(self):\n        if True:\n            return 3",
        ),
        ("Outer.Inner.deep", "def deep(self):\n    if True:\n        return 3"),
    ],
)
def test_what_is_inside_of_a_class_is_shown_from_the_left(root, name, expected):
    text, line = section(root, "src/module.py", name)
    assert text == expected
    assert MODULE.split("\n")[line - 1].strip() == expected.split("\n")[0]


def test_marked_lines_may_nest_and_their_marks_are_not_shown(root):
    assert section(root, "src/module.py", "part")[0] == (
        "first = 1\n\nindented = 2\nmore = 3\nlast = 4"
    )
    text, line = section(root, "src/module.py", "inner-part")
    assert text == "indented = 2\nmore = 3"
    assert MODULE.split("\n")[line - 1] == "indented = 2"


def test_any_file_has_marked_sections_and_they_are_dedented(root):
    assert section(root, "notes.sh", "a.b") == ("echo a\n\n  echo b", 4)


def test_the_line_is_that_of_the_first_line_shown(root):
    (root / "x.txt").write_text("a\n[start]\n# --8<-- [start:s]\n# --8<-- [start:t]\n\nhere\n")
    with pytest.raises(SectionError, match=re.escape("expected one [start:s] and after it one")):
        section(root, "x.txt", "s")
    with (root / "x.txt").open("a") as file:
        file.write("# --8<-- [end:t]\n# --8<-- [end:s]\n")
    assert section(root, "x.txt", "s") == ("here", 6)
    (root / "x.txt").write_text("\n# --8<-- [start:s]\n\nwhole\nfile\n# --8<-- [end:s]\n\n")
    assert section(root, "x.txt", "") == ("whole\nfile", 4)


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        (
            "src/gone.py",
            "",
            "expected a file of the project, got 'src/gone.py', which is not there",
        ),
        ("src", "", "expected a file of the project, got 'src'"),
        ("../secret.txt", "", "expected a file of the project, got '../secret.txt'"),
        ("/etc/hostname", "", "expected a file of the project, got '/etc/hostname'"),
        ("out.txt", "", "expected a file of the project, got 'out.txt'"),  # a link to outside
        (
            "src/module.py",
            "gone",
            "src/module.py has no section 'gone'; it has: inline, part, inne",
        ),
        ("src/module.py", "Outer.gone", "no section 'Outer.gone'"),
        ("src/module.py", "decorated.x", "no section 'decorated.x'"),
        ("src/module.py", "self", "no section 'self'"),
        ("src/module.py", "inline", "expected one [start:inline] and after it one [end:inline]"),
        ("notes.sh", "true", "notes.sh has no section 'true'; it has: a.b"),
        ("plain.txt", "a", "plain.txt has no section 'a'; it has: none"),
        ("twice.txt", "a", "expected one [start:a] and after it one [end:a]"),
        ("backwards.txt", "a", "expected one [start:a] and after it one [end:a]"),
        ("broken.py", "f", "broken.py:2: "),
    ],
)
def test_what_is_not_there_is_said(root, file, name, message):
    (root.parent / "secret.txt").write_text("secret")
    (root / "out.txt").symlink_to(root.parent / "secret.txt")
    (root / "plain.txt").write_text("words")
    mark = "# --8<-- [start:a]\nx\n# --8<-- [end:a]\n"
    (root / "twice.txt").write_text(mark * 2)
    (root / "backwards.txt").write_text("# --8<-- [end:a]\nx\n# --8<-- [start:a]\n")
    (root / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(SectionError, match=re.escape(message)):
        section(root, file, name)


def test_a_name_of_the_package_is_shown_as_it_is_there():
    text, line = section(REPOSITORY, "src/rnnnotes/training/ledger.py", "Claim.accepts")
    file = (REPOSITORY / "src/rnnnotes/training/ledger.py").read_text("utf-8").split("\n")
    count = text.count("\n") + 1
    assert [one[4:] for one in file[line - 1 : line - 1 + count]] == text.split("\n")
    assert text.startswith("def accepts(self") and text.rstrip().endswith("math.isnan(value)")
