"""How people find the site and their way in it: heads, cards, parts, search, filters, 404."""

import json
import re
import struct
import tomllib
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from browsing import Visit, serving
from built_site import ROOT, SITE_URL, page_files

PARTS = [
    "Home",
    "Start",
    "Foundations",
    "Gradients",
    "Remedies",
    "Gates",
    "Architectures",
    "Practice",
    "Reference",
]


@pytest.fixture(scope="module")
def pages(site):
    """Every page of the site but 404: its address below the root, and its HTML."""
    return {
        address: BeautifulSoup(file.read_text("utf-8"), "lxml")
        for address, file in page_files(site).items()
    }


def meta(page: BeautifulSoup, name: str) -> str:
    found = page.select(f'head meta[name="{name}"], head meta[property="{name}"]')
    assert len(found) == 1, f"{len(found)} of {name}"
    return found[0]["content"]


# ---- what a search engine or a chat shows of a page ---------------------------------------------


def test_every_page_has_one_heading_and_a_description_of_its_own(pages):
    said = Counter(meta(page, "description") for page in pages.values())
    assert [text for text, count in said.items() if count > 1] == []
    for address, page in pages.items():
        assert len(page.select("article h1")) == 1, address
        assert 30 <= len(meta(page, "description")) <= 260, address
        assert meta(page, "og:description") == meta(page, "description"), address
        assert meta(page, "og:title") in page.title.get_text(), address


def test_every_page_has_a_card_of_the_size_that_it_states(site, pages):
    drawn = set()
    for address, page in pages.items():
        url = meta(page, "og:image")
        assert url.startswith(SITE_URL), address
        data = (site / url.removeprefix(SITE_URL)).read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        size = struct.unpack(">II", data[16:24])
        assert (
            size
            == (1200, 630)
            == (
                int(meta(page, "og:image:width")),
                int(meta(page, "og:image:height")),
            )
        )
        assert len(data) < 60_000, address
        drawn.add(data)
    assert len(drawn) == len(pages), "two pages have the same card"


# ---- parts, neighbours, tags --------------------------------------------------------------------


def test_every_page_shows_the_parts_and_its_own_among_them(pages):
    for address, page in pages.items():
        tabs = page.select(".md-tabs__link")
        assert [tab.get_text(strip=True) for tab in tabs] == PARTS, address
        active = [tab.get_text(strip=True) for tab in page.select(".md-tabs__item--active")]
        assert active == [address.partition("/")[0].capitalize() or "Home"], address


def test_every_page_leads_to_the_one_before_and_the_one_after(pages):
    ways = {
        kind: {
            address: urljoin(f"/{address}", link["href"]).lstrip("/")
            for address, page in pages.items()
            for link in page.select(f"a.md-footer__link--{kind}")
        }
        for kind in ("prev", "next")
    }
    assert len(ways["next"]) == len(ways["prev"]) == len(pages) - 1
    assert {after: before for before, after in ways["next"].items()} == ways["prev"]


def test_tags_gather_pages_and_are_written_in_one_way(pages):
    listed = pages["reference/tags/"]
    names = [heading.get_text(strip=True).rstrip("¶") for heading in listed.select("article h2")]
    assert len({name.lower() for name in names}) == len(names) > 10
    linked = {
        urljoin("/reference/tags/", a["href"]).lstrip("/") for a in listed.select("article li a")
    }
    for address, page in pages.items():
        if page.select(".rn-verdict"):
            assert address in linked, f"{address} has no tag"


# ---- a page that is not there -------------------------------------------------------------------


def test_the_404_page_helps_wherever_it_is_served(site):
    page = BeautifulSoup((site / "404.html").read_text("utf-8"), "lxml")
    article = page.select_one("article")
    links = [a["href"] for a in article.select("a[href]") if not a["href"].startswith("#")]
    assert len(links) > 20
    for link in [*links, *(e["href"] for e in page.select("link[rel=stylesheet]"))]:
        assert link.startswith("/rnnnotes/"), "it is served at any depth"
    assert "not found" in page.title.get_text().lower()


# ---- the list of statements ---------------------------------------------------------------------


def test_the_data_the_list_and_the_boxes_say_the_same(site, pages):
    data = json.loads((site / "reference/statements.json").read_text("utf-8"))
    rows = yaml.safe_load((ROOT / "docs/statements.yml").read_text("utf-8"))
    assert [row["id"] for row in data["statements"]] == [row["id"] for row in rows]
    listed = pages["reference/statements/"]
    for row in data["statements"]:
        entry = listed.select_one(f"#row-{row['id']}")
        box = pages[f"{row['page']}/"].select_one(f".rn-verdict#{row['id']}")
        assert entry["data-verdict"] == box["data-verdict"] == row["verdict"], row["id"]
        assert row["says"] in entry.get_text() and row["says"] in box.get_text()
        there = urljoin("/reference/statements/", entry.select_one("a.rn-verdict-id")["href"])
        back = urljoin(f"/{row['page']}/", box.select_one("a.rn-verdict-id")["href"])
        assert there == f"/{row['page']}/#{row['id']}"
        assert back == f"/reference/statements/#row-{row['id']}"
        assert len(entry.select("details li")) == len(row["conditions"])
    counts = Counter(row["verdict"] for row in data["statements"])
    assert {word: n for word, n in data["counts"].items() if n} == counts


@pytest.mark.browser
def test_the_filters_work_without_scripts_and_by_keyboard(chromium, site):
    data = json.loads((site / "reference/statements.json").read_text("utf-8"))["statements"]
    with (
        serving(site) as address,
        Visit(chromium, address, "reference/statements/", 360, scripts=False) as visit,
    ):
        tab = visit.tab

        def shown() -> set[str]:
            seen = tab.locator(".rn-statement:visible").all()
            return {entry.get_attribute("id").removeprefix("row-") for entry in seen}

        assert len(shown()) == len(data)
        tab.locator("label[for=rn-note-C]").click()
        assert shown() == {row["id"] for row in data if row["note"] == "C"}
        assert tab.locator("h2[data-note]:visible").count() == 1
        tab.locator("label[for=rn-verdict-built]").click()
        wanted = {row["id"] for row in data if row["note"] == "C" and row["verdict"] == "built"}
        assert shown() == wanted
        tab.locator("#rn-verdict-built").focus()
        tab.keyboard.press("ArrowRight")  # to the next word, "cited"
        wanted = {row["id"] for row in data if row["note"] == "C" and row["verdict"] == "cited"}
        assert shown() == wanted


# ---- search -------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("W_rec", "reference/notation/"),
        ("clipnorm", "remedies/clipping/"),
        ("窥视孔", "reference/glossary/"),
        ("peephole", "gates/variants/"),
        ("梯度消失", "reference/glossary/"),
        ("LSTMCell", "reference/api/"),
        ("weight_hh_l0", "practice/snippets/"),
        ("GradScaler", "practice/mistakes/"),
    ],
)
def test_search_finds(chromium, site, words, page):
    with serving(site) as address, Visit(chromium, address, "") as visit:
        box = visit.tab.locator("input.md-search__input")
        box.click()
        box.press_sequentially(words)
        results = visit.tab.locator(".md-search-result__item a")
        results.first.wait_for(timeout=60_000)
        found = results.evaluate_all("all => all.map(a => a.href)")
        assert any(urlsplit(link).path.startswith(f"/{page}") for link in found), found
        assert visit.complaints == [] and visit.foreign == []


# ---- licences and citation ----------------------------------------------------------------------


def test_licences_and_citation_agree_with_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["version"] == project["version"]
    assert cited["license"] == [project["license"], "CC-BY-4.0"]
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    text = (ROOT / "docs/LICENSE.txt").read_text("utf-8")
    assert text.startswith("Attribution 4.0 International")
    assert "Section 8 -- Interpretation." in text


def test_contributing_names_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"`((?:docs|snippets|src|tests|\.ci)/[\w./-]*[\w/])`", text))
    named = {path for path in named if not re.search("[A-Z]{3}", path)}  # PART/NAME stands for any
    assert len(named) > 8
    for path in named:
        assert (ROOT / path).exists(), path
    assert len(text.split()) < 900, "one page"
