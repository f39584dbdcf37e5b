"""A list kept by hand in a YAML file, each row with its line, for messages that name it."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from rnnnotes.site.errors import LoomError

# The parser in C, where there is one: ten times as fast on the glossary and the statements.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_rows(file: Path, wanted: str, home: str, pages: Collection[str]) -> list[tuple[Any, int]]:
    """The rows and the line of each, from 1; none if there is no file.

    Args:
        wanted: what a row holds, for messages.
        home: the page that shows the list.
        pages: the names of all pages of the site.

    Raises:
        LoomError: no YAML, no list, an empty one, or no page that shows it.
    """
    if not file.is_file():
        return []
    if home not in pages:
        raise LoomError(f"{file}: expected a page {home}.md that shows it, got none")
    text = file.read_text("utf-8")
    try:
        rows = yaml.load(text, Loader)
        if not isinstance(rows, list) or not rows:
            raise LoomError(f"{file}: expected rows of {wanted}, got {rows!r}")
        lines = [node.start_mark.line + 1 for node in yaml.compose(text, Loader).value]
    except (yaml.YAMLError, ValueError) as error:  # ValueError: the 31st of November
        raise LoomError(f"{file}: no YAML: {error}") from None
    return list(zip(rows, lines, strict=True))
