"""The site as a tree of files: its pages by address, and the file that a link leads to."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import lxml.html
import yaml

ROOT = Path(__file__).parents[1]
SITE_URL = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["site_url"]
# An address inside of a style sheet, an attribute or a style element.
CSS_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^"')\s]*))\s*\)""")
# Attributes that hold one address each.
ADDRESSES = ("href", "src", "poster", "action", "data", "cite", "xlink:href")
# What Open Graph and Twitter take from a head.
PICTURES = ("og:image", "og:url", "twitter:image")


def page_files(site: Path) -> dict[str, Path]:
    """Every page but 404: its address below the root (empty for the home page), and its file."""
    files = sorted(site.rglob("index.html"))
    return {f"{f.parent.relative_to(site).as_posix()}/".removeprefix("./"): f for f in files}


@dataclass
class SiteTree:
    """A built site. Links are told as a reader's browser would resolve them."""

    folder: Path
    url: str = SITE_URL
    _ids: dict[Path, set[str]] = field(default_factory=dict)

    @cached_property
    def pages(self) -> dict[str, lxml.html.HtmlElement]:
        """Every page, parsed, by its address; 404 is ``404.html``."""
        files = page_files(self.folder) | {"404.html": self.folder / "404.html"}
        return {address: parsed(file) for address, file in files.items()}

    def fault(self, link: str, base: str) -> str:
        """What is wrong with a link on the page ``base`` (empty: nothing). Other sites are not
        asked."""
        url, anchor = urldefrag(urljoin(self.url + base, link))
        parts = urlsplit(url)
        if parts.scheme in ("mailto", "data"):
            return ""
        if parts.scheme not in ("http", "https") or not parts.netloc:
            return f"{link}: no address"
        if not url.startswith(self.url):
            ours = parts.netloc == urlsplit(self.url).netloc
            return f"{link}: leads out of the site's folder" if ours else ""
        path = unquote(parts.path.removeprefix(urlsplit(self.url).path))
        file = self.folder / path.lstrip("/")
        if url.endswith("/"):
            file /= "index.html"
        if not file.is_file():
            return f"{link}: there is no {file.relative_to(self.folder)}"
        if anchor and unquote(anchor) not in self.ids(file):
            return f"{link}: {file.relative_to(self.folder)} has no such anchor"
        return ""

    def ids(self, file: Path) -> set[str]:
        """The anchors of a file; only HTML has any."""
        if file not in self._ids:
            found = file.suffix == ".html" and parsed(file).xpath("//@id | //a/@name")
            self._ids[file] = set(found or ())
        return self._ids[file]


def parsed(file: Path) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(file.read_bytes().decode())


def links(page: lxml.html.HtmlElement) -> list[str]:
    """Every address that a page names: links, scripts, pictures, styles, cards."""
    found = []
    for element in page.iter("*"):
        found += [element.get(name) for name in ADDRESSES if element.get(name) is not None]
        for candidate in (element.get("srcset") or "").split(","):
            found += candidate.split()[:1]
        for value in element.attrib.values():
            found += css_links(value)
        if element.tag == "style":
            found += css_links(element.text or "")
        if element.tag == "meta" and (element.get("property") or element.get("name")) in PICTURES:
            found.append(element.get("content"))
    return found


def css_links(text: str) -> list[str]:
    return ["".join(match) for match in CSS_URL.findall(text)]
