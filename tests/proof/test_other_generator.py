"""The woven tree of the whole project, built by Zensical: the same pages, figures and verdicts.

Zensical is another program than MkDocs, with a theme and a search of its own. What it does
otherwise is said here, and nothing else may differ: a page's tags stand in another place; the place
that "skip to content" leads to is in the article; headings of the list of tags have no mark to link
to them; the index of the search is `search.json`; the sitemap has no dates and no gzip; the style
sheet that mkdocstrings brings, and the list of tags as data, are not there.
"""

import hashlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import lxml.html
import pytest

from built_site import ROOT, SiteTree, page_files, parsed
from npm_tools import missing

PINS = Path(__file__).with_name("zensical.txt")
VENV = ROOT / ".cache/zensical"
ITS_OWN_IDS = {"__skip"}
# Made by MkDocs and its plugins, not by the woven tree.
NOT_THERE = {
    "sitemap.xml.gz",
    "search/search_index.json",
    "assets/_mkdocstrings.css",
    "tags.json",
}


@pytest.fixture(scope="module")
def zensical():
    """The program, in a venv that is made anew when its pins change."""
    digest = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = VENV / "made-from"
    if not (stamp.is_file() and stamp.read_text() == digest):
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", PINS]
        done = subprocess.run(pip, env=surroundings(), capture_output=True, text=True)
        if done.returncode:
            missing(f"the other generator was not tried: pip could not install it: {done.stderr}")
        stamp.write_text(digest)
    return VENV / "bin/zensical"


def surroundings() -> dict[str, str]:
    """Without what this project's own environment adds: the package is read from the source."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**kept, "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="module")
def other(zensical, tmp_path_factory):
    """The site that Zensical builds from the woven tree, whatever it looks like."""
    out = tmp_path_factory.mktemp("woven") / "tree"
    weave = [sys.executable, "-m", "rnnnotes.site.command", out]
    subprocess.run(weave, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [zensical, "build"], cwd=out, env=surroundings(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "site"


@pytest.fixture(scope="module")
def pairs(site, other):
    """Every page, as MkDocs built it and as Zensical did."""
    ours, theirs = page_files(site), page_files(other)
    assert ours.keys() == theirs.keys() and len(ours) > 40
    return {address: (parsed(ours[address]), parsed(theirs[address])) for address in ours}


def words(element: lxml.html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def article(page: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    """What a page says, without its tags and the marks that link to headings."""
    (found,) = page.xpath("//article")
    for part in found.xpath(".//nav[contains(@class, 'md-tags')] | .//a[@class='headerlink']"):
        part.drop_tree()
    return found


def test_the_same_files(site, other):
    """All that the woven tree brings, to the byte: notebooks, scripts, cards, data, feed, fonts."""
    ours = {f.relative_to(site).as_posix(): f for f in site.rglob("*") if f.is_file()}
    made = {name for name in ours if name.startswith(("assets/javascripts", "assets/stylesheets"))}
    made |= {name for name in ours if name.endswith((".html", "sitemap.xml"))} | NOT_THERE
    brought = ours.keys() - made - {"assets/images/favicon.png"}
    assert len([name for name in brought if name.endswith(".ipynb")]) > 20
    assert {"feed.xml", "reference/statements.json", "assets/rnnnotes.css"} <= brought
    different = {n for n in brought if not (other / n).is_file() or _differ(ours[n], other / n)}
    assert different == set()


def _differ(one: Path, two: Path) -> bool:
    return one.read_bytes() != two.read_bytes()


def test_the_same_figures(pairs):
    def figures(page):
        return [
            (f.get("id"), words(f.find(".//figcaption")), svg.get("aria-label"), words(svg))
            for f in page.xpath("//figure[contains(@class, 'rn-figure')]")
            for svg in f.findall(".//svg")
        ]

    count = 0
    for address, (ours, theirs) in pairs.items():
        assert figures(ours) == figures(theirs), address
        count += len(figures(ours))
    assert count > 130


def test_the_same_verdicts(site, pairs):
    def boxes(page):
        found = page.xpath("//*[contains(concat(' ', @class, ' '), ' rn-verdict ')]")
        return [(box.get("id"), box.get("data-verdict"), words(box)) for box in found]

    count = 0
    for address, (ours, theirs) in pairs.items():
        assert boxes(ours) == boxes(theirs), address
        count += len(boxes(ours))
    data = json.loads((site / "reference/statements.json").read_text("utf-8"))
    assert count == len(data["statements"]) > 0


def test_the_same_words_and_places(pairs):
    for address, (ours, theirs) in pairs.items():
        assert ours.findtext(".//title") == theirs.findtext(".//title"), address
        said = [article(page) for page in (ours, theirs)]
        assert words(said[0]) == words(said[1]), address
        ids = [set(page.xpath("//article//@id")) - ITS_OWN_IDS for page in (ours, theirs)]
        assert ids[0] == ids[1], address
        tags = [
            sorted(map(words, p.xpath("//*[contains(@class, 'md-tag')][self::a]")))
            for p in (ours, theirs)
        ]
        assert tags[0] == tags[1], address


def test_the_same_sitemap(site, other):
    found = [ET.fromstring((s / "sitemap.xml").read_bytes()) for s in (site, other)]
    places = [sorted(e.text for e in root.iter() if e.tag.endswith("}loc")) for root in found]
    assert places[0] == places[1]


def test_links_of_the_articles_and_heads_lead_somewhere(other):
    tree = SiteTree(other)
    count = 0
    for address, page in tree.pages.items():
        if address == "404.html":
            continue
        found = page.xpath("//article//@href | //meta[@property='og:image']/@content")
        found += page.xpath("//link[@type='application/atom+xml']/@href")
        assert [fault for link in found if (fault := tree.fault(link, address))] == [], address
        count += len(found)
    assert count > 2000
