"""What a reader downloads to see a page, and from whom."""

import gzip
import http.server
import re
import shutil
import sys
import threading
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from measure import Row

# A server sends these as they are: they are packed already.
PACKED = (".woff2", ".png", ".jpg", ".gz")


def rows(site: Path, pages: list[str]) -> list[Row]:
    """The heaviest of the pages; ``pages`` are their addresses, ``gradients/vanishing/``."""
    html = max((site / page / "index.html").stat().st_size for page in pages)
    with _served(site) as base:
        asked = _by_chromium(base, pages)
        how = "as Chromium asks"
        if asked is None:
            asked, how = _by_reading(site, base, pages), "read from the HTML: no Chromium here"
    wire = max(
        sum(sent(site, urlsplit(url).path) for url in urls if url.startswith(base))
        for urls in asked.values()
    )
    foreign = {url for urls in asked.values() for url in urls if not url.startswith(base)}
    for url in sorted(foreign):
        print(f"bench: asked of a foreign host: {url}", file=sys.stderr)
    return [
        Row("HTML of the heaviest page", [html / 1000], 150, "kB"),
        Row(f"first view of the heaviest page, gzip ({how})", [wire / 1000], 300, "kB"),
        Row("requests to foreign hosts", [len(foreign)], 0),
    ]


def sent(site: Path, path: str) -> int:
    """Bytes of a file on the wire."""
    file = site / path.lstrip("/")
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return 0
    data = file.read_bytes()
    return len(data) if file.suffix in PACKED else len(gzip.compress(data))


class _served:
    """The site on a free port, as long as the block lasts."""

    def __init__(self, site: Path) -> None:
        quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": _ignore})
        address = ("127.0.0.1", 0)
        self.server = http.server.ThreadingHTTPServer(address, partial(quiet, directory=str(site)))

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _ignore(*_: object) -> None:
    pass


def _by_chromium(base: str, pages: list[str]) -> dict[str, set[str]] | None:
    """Every address that a first view asks for, cache empty; None without a browser."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return None
    asked: dict[str, set[str]] = {}
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error:
            return None
        for page in pages:
            urls = asked[page] = set()
            tab = browser.new_context().new_page()
            tab.on("request", lambda request, urls=urls: urls.add(request.url))
            tab.goto(base + page, wait_until="networkidle")
            tab.context.close()
        browser.close()
    local = ("data:", "blob:")
    return {
        page: {url for url in urls if not url.startswith(local)} for page, urls in asked.items()
    }


def _by_reading(site: Path, base: str, pages: list[str]) -> dict[str, set[str]]:
    """The page, what its tags load, and what its style sheets load."""
    asked = {}
    for page in pages:
        here = base + page
        html = (site / page / "index.html").read_text("utf-8")
        tags = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?([^\" >]+)", html)
        tags += re.findall(
            r"<link\b(?=[^>]*\brel=\"?(?:stylesheet|icon|preload))[^>]*\bhref=\"?([^\" >]+)", html
        )
        asked[page] = {here, *(urljoin(here, url) for url in tags)}
        for sheet in [url for url in asked[page] if url.endswith(".css") and url.startswith(base)]:
            text = (site / urlsplit(sheet).path.lstrip("/")).read_text("utf-8")
            urls = re.findall(r"url\(\s*[\"']?([^\"')]+)", text)
            asked[page] |= {urljoin(sheet, url) for url in urls if not url.startswith("data:")}
    return asked
