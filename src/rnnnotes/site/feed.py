"""What is new: a list kept by hand, the page that shows it, and an Atom feed made from it.

Nothing here asks the clock: dates and ids come from the list, so that two builds are the same.
"""

import datetime
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rnnnotes.site.errors import LoomError, PageError
from rnnnotes.site.links import address
from rnnnotes.site.rows import read_rows
from rnnnotes.site.weave import escape_markdown

PATH = "feed.xml"
HOME = "reference/changes"
KINDS = ("new page", "verdict changed", "correction")
LONGEST = 260  # as a description of a page
ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True)
class Change:
    """One change: its day, its kind, the page (perhaps with an anchor), a title, one sentence."""

    date: datetime.date
    kind: str
    page: str
    title: str
    says: str

    @property
    def home(self) -> str:
        """The page's name, without the anchor."""
        return self.page.partition("#")[0]

    @property
    def anchor(self) -> str:
        """Its place on the page of changes, by which feed readers know it for good."""
        parts = (self.date.isoformat(), self.kind, *self.page.replace("#", "/").split("/"))
        return "-".join(parts).replace(" ", "-")


# ---- the file ------------------------------------------------------------------------------


def read_changes(file: Path, pages: Iterable[str]) -> list[Change]:
    """Reads the list, newest first; a site without one has no feed.

    Args:
        pages: the names of all pages of the site.

    Raises:
        LoomError: a row that is wrong, by file, line and title.
    """
    pages = set(pages)
    wanted = ", ".join(field.name for field in fields(Change))
    changes: list[Change] = []
    for row, line in read_rows(file, wanted, HOME, pages):
        try:
            change = _change(row, pages)
            if any(change.anchor == other.anchor for other in changes):
                raise ValueError(f"a {change.kind} of {change.page} on {change.date} stands above")
            if changes and change.date > changes[-1].date:
                raise ValueError(
                    f"expected the newest first, got {change.date} below {changes[-1].date}"
                )
        except ValueError as error:
            name = row.get("title", row) if isinstance(row, dict) else row
            raise PageError(str(file), line, f"the change {name!r}: {error}") from None
        changes.append(change)
    return changes


def _change(row: Any, pages: set[str]) -> Change:
    """A row as a change. ``ValueError`` says what is wrong with it."""
    keys = [field.name for field in fields(Change)]
    if not isinstance(row, dict) or sorted(map(str, row)) != sorted(keys):
        got = ", ".join(map(str, row)) if isinstance(row, dict) else repr(row)
        raise ValueError(f"expected {', '.join(keys)}, got {got}")
    if type(row["date"]) is not datetime.date:  # a time of day is a datetime, and a date as well
        raise ValueError(f"expected a date such as 2026-12-01, got {row['date']!r}")
    for key in keys[1:]:
        if not isinstance(row[key], str) or not row[key].strip():
            raise ValueError(f"expected text as {key}, got {row[key]!r}")
    change = Change(**row)
    if change.kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {change.kind!r}")
    if change.home not in pages:
        raise ValueError(f"expected the name of a page, got {change.page!r}")
    if not change.says.endswith(".") or len(change.says) > LONGEST:
        raise ValueError(
            f"expected a sentence of at most {LONGEST} characters, got {change.says!r}"
        )
    return change


# ---- its page, and the feed ------------------------------------------------------------------


def listing(changes: Iterable[Change], up: str) -> str:
    """The changes as Markdown, by day. ``up`` leads from the page to the root."""
    out = []
    for date, group in itertools.groupby(changes, key=lambda change: change.date):
        out += [f"## {date.isoformat()}", ""]
        for change in group:
            path, hash_, anchor = change.page.partition("#")
            link = f"[{escape_markdown(change.title)}]({up}{path}.md{hash_}{anchor})"
            kind = change.kind.capitalize()
            stop = "" if change.title.endswith(("?", "!")) else "."
            out.append(f"- *{kind}:* {link}{stop} {escape_markdown(change.says)}")
            out.append(f"  {{ #{change.anchor} }}")
        out.append("")
    return "\n".join(out)


def atom(changes: list[Change], site_name: str, site_url: str) -> str:
    """The changes as an Atom feed (RFC 4287), whose addresses are absolute.

    Raises:
        LoomError: a site without an address.
    """
    if not site_url:
        raise LoomError(f"{PATH} needs absolute addresses: expected site_url in mkdocs.yml")
    root = ET.Element("feed", xmlns=ATOM)
    _text(root, "id", site_url + PATH)
    _text(root, "title", f"{site_name}: what is new")
    _text(root, "updated", _moment(changes[0].date))
    _text(ET.SubElement(root, "author"), "name", site_name)
    ET.SubElement(root, "link", rel="self", type="application/atom+xml", href=site_url + PATH)
    ET.SubElement(root, "link", rel="alternate", type="text/html", href=site_url + address(HOME))
    for change in changes:
        entry = ET.SubElement(root, "entry")
        _text(entry, "id", f"{site_url}{address(HOME)}#{change.anchor}")
        _text(entry, "title", f"{change.kind.capitalize()}: {change.title}")
        _text(entry, "updated", _moment(change.date))
        ET.SubElement(entry, "link", rel="alternate", type="text/html", href=_url(change, site_url))
        ET.SubElement(entry, "category", term=change.kind)
        _text(entry, "summary", change.says)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _url(change: Change, site_url: str) -> str:
    _, hash_, anchor = change.page.partition("#")
    return f"{site_url}{address(change.home)}{hash_}{anchor}"


def _moment(date: datetime.date) -> str:
    return f"{date.isoformat()}T00:00:00Z"


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text
