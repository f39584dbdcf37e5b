"""A broken link, told like any other fault: with the page's path and the line in it."""

import logging
import re
from collections.abc import Mapping

from rnnnotes.site.blocks import PageSource

_TOLD = re.compile(
    r"Doc file '(?P<page>.+?)\.md' (?P<said>contains an? [\w ]*link '(?P<link>.*?)')"
)


class LinkLines(logging.Filter):
    """Puts ``docs/x.md:41:`` in front of what MkDocs says about a link.

    MkDocs checks links when pages are HTML already, and knows the page but no line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pages: Mapping[str, PageSource] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        match = _TOLD.match(message)
        page = self.pages.get(match["page"]) if match else None
        if page:
            said = message[match.start("said") :]
            record.msg = f"{page.path}:{_line(page.text, match['link'])}: {said}"
            record.args = ()
        return True


def _line(text: str, link: str) -> int:
    """Where a link first stands: in ``](link)`` or ``]: link``, else anywhere, else line 1."""
    found = re.search(rf"\](?:\(|:\s+)<?{re.escape(link)}(?![^\s)>])", text)
    at = found.start() if found else max(text.find(link), 0)
    return text.count("\n", 0, at) + 1
