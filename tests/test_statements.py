"""Every statement recorded once, on its own page; and what is said when it is not."""

import re
from collections import Counter

import pytest
import yaml

from rnnnotes.site.errors import LoomError, PageError, PageErrors
from rnnnotes.site.statements import NOTES, Record, Statement, check, read_statements
from woven_page import REPOSITORY

PAGES = {"part/one": "docs/part/one.md", "part/two": "docs/part/two.md"}
ROWS = {
    name: Statement(name, "claim", home, "says", "settle")
    for name, home in [("A1", "part/one"), ("A2", "part/one"), ("B1", "part/two")]
}


def record(name: str, where: str = "part/one", line: int = 5) -> Record:
    return Record({"statement": name, "verdict": "holds"}, where, f"docs/{where}.md", line)


ALL = [record("A1"), record("A2", line=9), record("B1", "part/two", 7)]


def test_all_recorded_once_on_their_pages():
    found = check(ROWS, ALL, PAGES)
    assert {name: row.line for name, row in found.items()} == {"A1": 5, "A2": 9, "B1": 7}


@pytest.mark.parametrize(
    ("records", "place", "message"),
    [
        ([*ALL, record("Z9", line=30)], "docs/part/one.md:30", "no statement has the id 'Z9' in s"),
        ([*ALL, record("a1", line=30)], "docs/part/one.md:30", "no statement has the id 'a1'"),
        (
            [*ALL, record("A1", line=30)],
            "docs/part/one.md:30",
            "the statement A1 is recorded twice; first at docs/part/one.md:5",
        ),
        (
            [*ALL, record("A1", "part/two", 30)],
            "docs/part/two.md:30",
            "the statement A1 is recorded twice; first at docs/part/one.md:5",
        ),
        (
            [record("A1", "part/two", 30), *ALL[1:]],
            "docs/part/two.md:30",
            "the statement A1 belongs on the page part/one",
        ),
        (ALL[1:], "docs/part/one.md:1", "the page never records the statement A1"),
    ],
)
def test_a_fault_names_the_page_and_the_line(records, place, message):
    with pytest.raises(PageError, match=re.escape(f"{place}: {message}")):
        check(ROWS, records, PAGES)


def test_all_faults_are_told_at_once():
    wrong = [record("Z9", line=30), record("A1", line=31), record("B1", line=32)]
    with pytest.raises(PageErrors) as told:
        check(ROWS, [*ALL[:2], *wrong], PAGES)
    assert [error.line for error in told.value.errors] == [30, 31, 32]
    with pytest.raises(PageErrors) as told:
        check(ROWS, [], {"part/one": PAGES["part/one"]})
    assert [str(error).rpartition(" ")[2] for error in told.value.errors] == ["A1", "A2", "B1"]


def test_statements_whose_page_is_not_there():
    with pytest.raises(LoomError, match=r"these statements have no page: B1$"):
        check(ROWS, ALL[:2], {"part/one": PAGES["part/one"]})
    with pytest.raises(LoomError, match=r"these statements have no page: A1, A2, B1$"):
        check(ROWS, [], {})


def test_a_site_without_a_list_has_no_statements_and_may_record_none(tmp_path):
    assert read_statements(tmp_path / "statements.yml") == {}
    assert check({}, [], PAGES) == {}
    with pytest.raises(PageError, match="no statement has the id 'A1'"):
        check({}, [record("A1")], PAGES)


ROW = {"id": "A1", "kind": "claim", "page": "part/one", "says": "x", "settle": "y"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (yaml.safe_dump([ROW, ROW]), "the id A1 stands there twice"),
        (yaml.safe_dump([{**ROW, "id": "F1"}]), "F1: expected a letter of A, B, C, D, E first"),
        (yaml.safe_dump([{**ROW, "kind": "clam"}]), "A1: expected a kind of claim, method, figure"),
        (yaml.safe_dump([{**ROW, "sais": "x"}]), "expected rows of id, kind, page, says, settle"),
        (yaml.safe_dump([{"id": "A1"}]), "expected rows of id, kind, page, says, settle"),
        (yaml.safe_dump(ROW), "expected rows of id"),
        ("- just words\n", "expected rows of id"),
        ("", "expected rows of id"),
        ("- {id: A1, says: a: b}\n", "expected rows of id"),
    ],
)
def test_a_bad_list_names_the_file(tmp_path, text, message):
    file = tmp_path / "statements.yml"
    file.write_text(text)
    with pytest.raises(LoomError, match=re.escape(message)) as caught:
        read_statements(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_the_list_of_the_project():
    rows = read_statements(REPOSITORY / "docs/statements.yml")
    assert len(rows) == 88
    for row in rows.values():
        assert re.fullmatch(r"[A-E]\d{1,2}", row.id)
        assert re.fullmatch(r"[a-z]+/[a-z-]+", row.page)
        assert row.says.strip() and row.settle.strip()
    numbers = Counter(row.id[0] for row in rows.values())
    assert numbers.keys() == NOTES.keys()
    for note, count in numbers.items():
        assert {f"{note}{number}" for number in range(1, count + 1)} <= rows.keys()
