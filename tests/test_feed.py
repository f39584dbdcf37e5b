"""What is new: the list, what is wrong in it, the page and the feed."""

import datetime
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from built_site import ROOT
from rnnnotes.site.errors import LoomError
from rnnnotes.site.feed import KINDS, atom, listing, read_changes

ATOM = "{http://www.w3.org/2005/Atom}"
URL = "https://site.example/notes/"
PAGES = {"index", "gates/lstm", "remedies/index", "reference/changes"}
NEWER = """\
- date: 2026-12-01
  kind: correction
  page: remedies/index#A4
  title: "A <sign> & more"
  says: "It was *minus*."
"""
OLDER = """\
- date: 2026-11-21
  kind: new page
  page: gates/lstm
  title: The LSTM
  says: What an LSTM does.
"""


def read(folder, text, pages=PAGES):
    file = folder / "changes.yml"
    file.write_text(text)
    return read_changes(file, pages)


@pytest.fixture
def changes(tmp_path):
    return read(tmp_path, NEWER + OLDER)


def test_a_site_without_the_list_has_no_changes(tmp_path):
    assert read_changes(tmp_path / "changes.yml", PAGES) == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (NEWER + OLDER.replace("gates/lstm", "gates/gone"), 6, "expected the name of a page"),
        (OLDER + NEWER, 6, "expected the newest first, got 2026-12-01 below 2026-11-21"),
        (NEWER + NEWER, 6, "a correction of remedies/index#A4 on 2026-12-01 stands above"),
        (
            OLDER.replace("new page", "news"),
            1,
            "expected a kind of new page, verdict changed",
        ),
        (OLDER.replace("2026-11-21", "21 November"), 1, "expected a date such as 2026-12-01"),
        (OLDER.replace("2026-11-21", "2026-11-21 10:00:00"), 1, "expected a date such as"),
        (OLDER.replace("title: The LSTM", "name: x"), 1, "expected date, kind, page, title, says"),
        (OLDER.replace("The LSTM", "7"), 1, "expected text as title, got 7"),
        (OLDER.replace("does.", "does"), 1, "expected a sentence of at most"),
        (OLDER.replace("does.", "does " * 60 + "."), 1, "expected a sentence of at most"),
        (NEWER + "- a word\n", 6, "expected date, kind, page, title, says, got 'a word'"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_entry(tmp_path, text, line, says):
    with pytest.raises(LoomError) as told:
        read(tmp_path, text)
    named = r"'The LSTM'|'A <sign> & more'|7|'a word'|\{'date'.*'x'.*\}"
    where = re.escape(f"{tmp_path}/changes.yml:{line}")
    assert re.match(rf"{where}: the change ({named}): {re.escape(says)}", str(told.value))


@pytest.mark.parametrize("text", ["", "a: b", "[]", "- [", OLDER.replace("11-21", "11-31")])
def test_what_is_no_list_is_told_with_its_file(tmp_path, text):
    with pytest.raises(LoomError, match=r"changes\.yml: (expected rows of date, kind|no YAML)"):
        read(tmp_path, text)


def test_the_list_needs_its_page_and_the_feed_an_address(tmp_path, changes):
    with pytest.raises(LoomError, match=r"expected a page reference/changes\.md"):
        read(tmp_path, OLDER, {"index", "gates/lstm"})
    with pytest.raises(LoomError, match=r"expected site_url in mkdocs\.yml"):
        atom(changes, "Notes", "")


def test_the_page_shows_each_change_under_its_day(changes):
    lines = [line for line in listing(changes, "../").split("\n") if line]
    assert lines == [
        "## 2026-12-01",
        "- *Correction:* [A &#60;sign&#62; &#38; more](../remedies/index.md#A4). It was "
        "&#42;minus&#42;.",
        "  { #2026-12-01-correction-remedies-index-A4 }",
        "## 2026-11-21",
        "- *New page:* [The LSTM](../gates/lstm.md). What an LSTM does.",
        "  { #2026-11-21-new-page-gates-lstm }",
    ]


def test_the_feed_of_a_list(changes):
    text = atom(changes, "Notes", URL)
    assert text == atom(changes, "Notes", URL), "no clock"
    first, second = ET.fromstring(text).findall(f"{ATOM}entry")
    assert first.findtext(f"{ATOM}id") == (
        f"{URL}reference/changes/#2026-12-01-correction-remedies-index-A4"
    )
    assert first.find(f"{ATOM}link").get("href") == f"{URL}remedies/#A4"
    assert first.findtext(f"{ATOM}title") == "Correction: A <sign> & more"
    assert first.findtext(f"{ATOM}summary") == "It was *minus*."
    assert first.find(f"{ATOM}category").get("term") == "correction"
    assert second.findtext(f"{ATOM}updated") == "2026-11-21T00:00:00Z"


def assert_atom(text):
    """What RFC 4287 asks for, of a feed as a whole (4.1.1) and of its entries (4.1.2)."""
    feed = ET.fromstring(text)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    single = ("id", "title", "updated")
    for element in (feed, *entries):
        assert [len(element.findall(ATOM + name)) for name in single] == [1, 1, 1]
        assert all(element.findtext(ATOM + name).strip() for name in single)
        moment = element.findtext(f"{ATOM}updated")
        assert datetime.datetime.fromisoformat(moment).tzinfo is not None
        assert re.match(r"https://\S+$", element.findtext(f"{ATOM}id"))
        kinds = Counter(
            (link.get("rel"), link.get("type")) for link in element.findall(f"{ATOM}link")
        )
        assert kinds["alternate", "text/html"] == 1 and max(kinds.values()) == 1
    assert feed.find(f"{ATOM}author/{ATOM}name").text
    (own,) = (link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self")
    assert own.get("href") == feed.findtext(f"{ATOM}id")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids) > 0
    moments = [entry.findtext(f"{ATOM}updated") for entry in entries]
    assert moments == sorted(moments, reverse=True)
    assert feed.findtext(f"{ATOM}updated") == moments[0]


def test_the_feed_is_atom(changes, site):
    assert_atom(atom(changes, "Notes", URL))
    assert_atom((site / "feed.xml").read_text("utf-8"))


def test_our_list_announces_every_page():
    """The pages of the package came together and are announced as one; the home page is known."""
    pages = {f.relative_to(ROOT / "docs").with_suffix("").as_posix() for f in pages_of_ours()}
    changes = read_changes(ROOT / "docs/changes.yml", pages)
    announced = {change.page for change in changes if change.kind == "new page"}
    missing = {name for name in pages if not name.startswith("reference/api/")} - announced
    assert missing == set(), "docs/changes.yml announces no such new page"
    assert "reference/api/index" in announced
    assert {change.kind for change in changes} <= set(KINDS)


def pages_of_ours():
    return [f for f in (ROOT / "docs").rglob("*.md") if ".theme" not in f.parts]
