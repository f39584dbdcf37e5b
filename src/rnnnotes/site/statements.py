"""The statements of the notes, and the verdicts that pages have recorded on them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rnnnotes.site.errors import LoomError, PageError, raise_all
from rnnnotes.site.rows import Loader

NOTES = {
    "A": "gradients and remedies",
    "B": "lecture",
    "C": "course",
    "D": "CNN and RNN",
    "E": "article",
}
KINDS = ("claim", "method", "figure", "pointer")


@dataclass(frozen=True)
class Statement:
    """One statement: what the note says, its kind, the page that answers it, how."""

    id: str
    kind: str
    page: str
    says: str
    settle: str


@dataclass(frozen=True)
class Record:
    """A verdict, and where it was recorded: the page's name, its path, and the line."""

    verdict: Mapping[str, Any]
    page: str
    path: str
    line: int

    @property
    def id(self) -> str:
        return self.verdict["statement"]


def read_statements(file: Path) -> dict[str, Statement]:
    """Reads the list; a site without one has no statements."""
    if not file.is_file():
        return {}
    try:
        rows = [Statement(**row) for row in yaml.load(file.read_text("utf-8"), Loader)]
    except (yaml.YAMLError, TypeError) as error:
        raise LoomError(f"{file}: expected rows of id, kind, page, says, settle: {error}") from None
    for row in rows:
        if str(row.id)[:1] not in NOTES:
            raise LoomError(f"{file}: {row.id}: expected a letter of {', '.join(NOTES)} first")
        if row.kind not in KINDS:
            raise LoomError(
                f"{file}: {row.id}: expected a kind of {', '.join(KINDS)}, got {row.kind!r}"
            )
    doubled = [name for name, count in Counter(row.id for row in rows).items() if count > 1]
    if doubled:
        raise LoomError(f"{file}: the id {doubled[0]} stands there twice")
    return {row.id: row for row in rows}


def check(
    statements: Mapping[str, Statement],
    records: Iterable[Record],
    pages: Mapping[str, str],
) -> dict[str, Record]:
    """Every statement recorded once, on its own page.

    Args:
        pages: the pages of the site, name to path.

    Raises:
        LoomError: of all ids that are unknown, doubled or on the wrong page; if there are none,
            of all that are missing, or whose page is not there.
    """
    found: dict[str, Record] = {}
    errors: list[Exception] = []

    def wrong(record: Record, message: str) -> None:
        errors.append(PageError(record.path, record.line, message))

    for record in records:
        home = statements[record.id].page if record.id in statements else None
        if home is None:
            wrong(record, f"no statement has the id {record.id!r} in statements.yml")
        elif record.id in found:
            first = found[record.id]
            where = f"{first.path}:{first.line}"
            wrong(record, f"the statement {record.id} is recorded twice; first at {where}")
        elif record.page != home:
            wrong(record, f"the statement {record.id} belongs on the page {home}")
        else:
            found[record.id] = record
    # One that is recorded wrongly would be told as missing too.
    raise_all(errors)
    missing = [row for row in statements.values() if row.id not in found]
    for row in missing:
        if row.page in pages:
            message = f"the page never records the statement {row.id}"
            errors.append(PageError(pages[row.page], 1, message))
    nowhere = [row.id for row in missing if row.page not in pages]
    if nowhere:
        errors.append(LoomError(f"these statements have no page: {', '.join(nowhere)}"))
    raise_all(errors)
    return found
