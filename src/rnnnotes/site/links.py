"""Where links lead: addresses of pages, links of a text that moves, and those that are broken."""

import logging
import posixpath
import re
from collections.abc import Callable, Mapping

from rnnnotes.site.blocks import SPAN, PageSource

# A link to something of the site itself, or code, in which the same characters are none.
_OWN = re.compile(
    rf"{SPAN.pattern}|\]\((?![a-z]+:|/)(?P<link>[^()\s]+)(?P<title>\s+\"[^\"]*\")?\)", re.DOTALL
)

_TOLD = re.compile(
    r"Doc file '(?P<page>.+?)\.md' (?P<said>contains an? [\w ]*link '(?P<link>.*?)')"
)


def address(name: str) -> str:
    """Where a page is served, below the site's own address: ``remedies/index`` in ``remedies/``."""
    folder, _, last = name.rpartition("/")
    name = folder if last == "index" else name
    return f"{name}/" if name else ""


def rebased(text: str, page: str, up: str) -> str:
    """Markdown of ``page`` as it must stand elsewhere: ``up`` leads from there to the root."""
    return _moved(text, page, lambda path: up + path)


def absolute(text: str, page: str, site_url: str) -> str:
    """Markdown of ``page`` for somewhere outside of the site: its links lead to the site."""
    if not site_url:
        return text

    def url(path: str) -> str:
        return site_url + (address(path.removesuffix(".md")) if path.endswith(".md") else path)

    return _moved(text, page, url)


def _moved(text: str, page: str, place: Callable[[str], str]) -> str:
    """The text with its own links led to ``place`` of a path below the root."""

    def elsewhere(match: re.Match[str]) -> str:
        if match["link"] is None:
            return match[0]
        path, hash_, anchor = match["link"].partition("#")
        path = posixpath.join(posixpath.dirname(page), path) if path else f"{page}.md"
        return f"]({place(posixpath.normpath(path))}{hash_}{anchor}{match['title'] or ''})"

    return _OWN.sub(elsewhere, text)


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
