"""The site as a file tree: every link in every file leads somewhere, names are single, HTML valid.

All on the project's own site, read as files.
"""

import gzip
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from built_site import SITE_URL, SiteTree, css_links, links

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ATOM = "{http://www.w3.org/2005/Atom}"
# Attributes that name other elements of their page.
NAMING = ("for", "headers", *(f"aria-{n}" for n in ("labelledby", "describedby")))
NAMING += ("aria-controls", "aria-owns", "aria-details", "aria-activedescendant")
# Material's title of the table of contents names a switch that a section's index page has not.
UNNAMED = {"__toc"}
# A link of Markdown in a notebook: its address, without a title behind it.
MARKDOWN_LINK = re.compile(
    r"\]\(<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]^]+\]:\s+(\S+)", re.MULTILINE
)
CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1|(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def tree(site):
    return SiteTree(site)


def faults(tree, found):
    """What is wrong with links: pairs of the page on which they stand (or a file) and the link."""
    found = list(found)
    assert found
    told = (f"{base}: {fault}" for base, link in found if (fault := tree.fault(link, base)))
    return sorted(set(told))


# ---- links ---------------------------------------------------------------------------------------


def test_every_link_of_every_page_leads_to_a_file_and_an_anchor(tree):
    pages = {address: page for address, page in tree.pages.items() if address != "404.html"}
    found = [(address, link) for address, page in pages.items() for link in links(page)]
    assert len(found) > 40 * len(pages)
    assert faults(tree, found) == []


def test_links_of_the_404_page_hold_at_any_depth(tree):
    for base in ("404.html", "no/such/page/", "gates/lstm/gone.html"):
        assert faults(tree, [(base, link) for link in links(tree.pages["404.html"])]) == []


def test_the_style_sheets_name_only_what_is_there(tree):
    sheets = sorted(tree.folder.rglob("*.css"))
    assert len(sheets) > 2
    found = [
        (sheet.relative_to(tree.folder).as_posix(), link)
        for sheet in sheets
        for link in css_links(sheet.read_text("utf-8"))
    ]
    assert faults(tree, found) == []


def test_the_scripts_that_the_theme_loads_by_itself_are_there(tree):
    for address, page in tree.pages.items():
        (config,) = page.xpath("//script[@id='__config']/text()")
        config = json.loads(config)
        base = "" if address == "404.html" else address
        assert (
            faults(tree, [(base, config["search"]), (base, config["base"].rstrip("/") + "/")]) == []
        )


def test_every_place_that_search_finds_is_there(tree):
    index = json.loads((tree.folder / "search/search_index.json").read_text("utf-8"))
    places = [row["location"] for row in index["docs"]]
    assert faults(tree, [("", place) for place in places]) == []
    found = {place.partition("#")[0] for place in places}
    assert found == tree.pages.keys() - {"404.html"}, "pages that search does not know"


def test_the_links_of_the_statements_as_data_lead_to_their_boxes(tree):
    data = json.loads((tree.folder / "reference/statements.json").read_text("utf-8"))
    rows = data["statements"]
    assert all(row["url"].startswith(SITE_URL) and "#" in row["url"] for row in rows)
    assert faults(tree, [("", row["url"]) for row in rows]) == []
    reasons = [link for row in rows for link in markdown_links(row["because"])]
    assert all(re.match(r"https?://", link) for link in reasons)
    assert faults(tree, [("", link) for link in reasons]) == []


def test_the_links_of_the_notebooks_lead_from_anywhere_to_the_site(tree):
    books = sorted(tree.folder.rglob("*.ipynb"))
    assert len(books) > 20
    found = []
    for file in books:
        book = json.loads(file.read_text("utf-8"))
        texts = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown"]
        texts += [
            "".join(output["data"]["text/markdown"])
            for cell in book["cells"]
            for output in cell.get("outputs", [])
            if "text/markdown" in output.get("data", {})
        ]
        name = file.relative_to(tree.folder).as_posix()
        found += [(name, link) for text in texts for link in markdown_links(text)]
    assert [row for row in found if not re.match(r"https?://|mailto:", row[1])] == []
    assert faults(tree, found) == []


def markdown_links(text):
    return ["".join(match) for match in MARKDOWN_LINK.findall(CODE.sub("", text))]


def test_a_broken_link_is_found_wherever_it_stands(tree, tmp_path):
    """The reader of links, on a small page of each kind of fault."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b.txt").write_text("text")
    html = """<p id="here"><a href="#here">1</a><a href="../b.txt">2</a><a href="/x/a/#here">3</a>
        <a href="https://elsewhere.example/">4</a>
        <img src="../p.png" srcset="../q.png 2x, ../b.txt">
        <a href="#gone">5</a><a href="../b.txt#at">6</a><a href="..">7</a><a href="/y/">8</a>
        <a href="../a">9</a><p style="background: url('../r.png')">
        <svg><g clip-path="url(#c)"/></svg>
        <a href="javascript:void(0)">10</a>"""
    (tmp_path / "a/index.html").write_text(html)
    (tmp_path / "404.html").write_text("<p>gone</p>")
    small = SiteTree(tmp_path, "https://site.example/x/")
    told = faults(small, [("a/", link) for link in links(small.pages["a/"])])
    wrong = [line.split(": ")[1] for line in told]
    assert sorted(wrong) == sorted(
        "#c #gone .. ../a ../b.txt#at ../p.png ../q.png ../r.png /y/ javascript:void(0)".split()
    )


# ---- names ---------------------------------------------------------------------------------------


def test_ids_are_single_and_what_names_an_id_finds_it(tree):
    for address, page in tree.pages.items():
        ids = Counter(page.xpath("//@id"))
        assert [name for name, count in ids.items() if count > 1] == [], address
        assert all(name and not re.search(r"\s", name) for name in ids), address
        for naming in NAMING:
            for value in page.xpath(f"//@{naming}"):
                named = set(value.split()) - UNNAMED
                assert named <= ids.keys(), f"{address}: {naming}={value!r}"


def test_no_two_pages_share_a_title_and_each_knows_its_own_address(tree):
    titles = Counter(page.findtext(".//title") for page in tree.pages.values())
    assert [title for title, count in titles.items() if count > 1] == []
    for address, page in tree.pages.items():
        known = page.xpath("//link[@rel='canonical']/@href | //meta[@property='og:url']/@content")
        assert known == ([] if address == "404.html" else [SITE_URL + address] * 2), address


# ---- what machines read --------------------------------------------------------------------------


def test_the_sitemap_names_the_pages_and_nothing_else(tree):
    text = (tree.folder / "sitemap.xml").read_bytes()
    rows = ET.fromstring(text).findall(f"{SITEMAP}url")
    named = [row.findtext(f"{SITEMAP}loc") for row in rows]
    wanted = [SITE_URL + address for address in tree.pages if address != "404.html"]
    assert sorted(named) == sorted(wanted)
    days = {row.findtext(f"{SITEMAP}lastmod") for row in rows}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)
    assert gzip.decompress((tree.folder / "sitemap.xml.gz").read_bytes()) == text


def test_the_feed_leads_to_pages_and_every_page_leads_to_the_feed(tree):
    feed = ET.fromstring((tree.folder / "feed.xml").read_bytes())
    found = [link.get("href") for link in feed.iter(f"{ATOM}link")]
    found += [entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")]
    assert all(url.startswith(SITE_URL) for url in found)
    assert faults(tree, [("", url) for url in found]) == []
    for address, page in tree.pages.items():
        (href,) = page.xpath("//head/link[@type='application/atom+xml'][@rel='alternate']/@href")
        assert (href == "/rnnnotes/feed.xml") == (address == "404.html")
