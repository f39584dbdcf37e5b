"""The built site in a real Chromium: what only a browser can show."""

import re
import sys
from pathlib import Path

import pytest

from browsing import Visit, serving

sys.path.insert(0, str(Path(__file__).parent / "bench"))

from page_weight import sent

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def pages(site):
    """Every page of the site, as addresses below its root."""
    found = sorted(site.rglob("index.html"))
    return [f"{file.parent.relative_to(site).as_posix()}/".removeprefix("./") for file in found]


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served, on this machine only."""
    with serving(site) as at:
        yield at


def test_the_palette_switch_changes_the_figures(chromium, address):
    with Visit(chromium, address, "gradients/vanishing/") as visit:
        colour = """() => getComputedStyle(
            document.querySelector('.rn-svg text')).fill"""
        before = visit.tab.evaluate(colour)
        visit.tab.locator("label[for='__palette_1']").click()
        visit.tab.wait_for_function(f"({colour})() !== {before!r}")


def test_text_formulas_figures_and_verdicts_need_no_script(chromium, address):
    with Visit(chromium, address, "gradients/vanishing/", scripts=False) as visit:
        tab = visit.tab
        assert visit.foreign == []
        for selector in (".rn-svg svg", "math", ".rn-verdict", ".highlight code", "h2"):
            element = tab.locator(selector).first
            element.scroll_into_view_if_needed()
            box = element.bounding_box()
            assert box and box["width"] > 0 and box["height"] > 0, selector


def test_the_copy_button_copies_exactly_the_code(chromium, address):
    with Visit(chromium, address, "gradients/vanishing/") as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        block = visit.tab.locator("div.highlight:has(code):not(.no-copy):visible").first
        block.scroll_into_view_if_needed()
        block.hover()
        block.locator("button").first.click()
        copied = visit.tab.evaluate("navigator.clipboard.readText()")
        assert copied.rstrip("\n") == block.locator("code").inner_text().rstrip("\n")
        assert "#|" not in copied


def test_outputs_offer_no_copy_button(chromium, address):
    with Visit(chromium, address, "gradients/vanishing/") as visit:
        assert visit.tab.locator(".rn-output button").count() == 0


@pytest.mark.parametrize("words", ["vanish", "clipnorm"])
def test_search_finds(chromium, address, words):
    with Visit(chromium, address, "") as visit:
        box = visit.tab.locator("input.md-search__input")
        box.click()
        box.press_sequentially(words)
        visit.tab.locator(".md-search-result__item").first.wait_for(timeout=30_000)


ASKED = "performance.getEntriesByType('resource').map(entry => entry.name)"


def test_a_first_view_of_the_heaviest_page_is_light(chromium, address, site, pages):
    heaviest = max(pages, key=lambda page: (site / page / "index.html").stat().st_size)
    with Visit(chromium, address, heaviest) as visit:
        visit.tab.wait_for_load_state("networkidle")
        asked = {address + heaviest, *visit.tab.evaluate(ASKED)}
        assert not any("search_index" in url for url in asked)
    wire = sum(sent(site, url.removeprefix(address)) for url in asked if url.startswith(address))
    assert 100_000 < wire <= 300_000


@pytest.mark.parametrize(
    ("width", "turn"),
    [(1300, "/"), (1300, ".md-search__input"), (360, "[for=__search]:visible")],
)
def test_the_index_is_asked_for_when_somebody_turns_to_the_search(chromium, address, width, turn):
    with Visit(chromium, address, "gradients/vanishing/", width) as visit:
        visit.tab.wait_for_load_state("networkidle")
        with visit.tab.expect_request("**/search_index.json"):
            if turn == "/":
                visit.tab.keyboard.press(turn)
            else:
                visit.tab.locator(turn).first.click()
        assert not visit.complaints


@pytest.mark.parametrize("question", ["?q=clipnorm", "?h=clipping"])
def test_a_question_in_the_address_asks_for_the_index_at_once(chromium, address, question):
    with Visit(chromium, address, f"remedies/clipping/{question}") as visit:
        seen = ".md-search-result__item" if "q=" in question else "mark[data-md-highlight]"
        visit.tab.locator(seen).first.wait_for(timeout=30_000)


def test_downloads_are_there(chromium, address, site):
    with Visit(chromium, address, "gradients/vanishing/") as visit:
        links = visit.tab.locator("a.rn-download").evaluate_all("all => all.map(a => a.href)")
    assert len(links) == 2
    for link in links:
        assert (site / link.removeprefix(address)).stat().st_size > 1000


def test_pages_are_light_enough(site):
    for file in site.rglob("index.html"):
        assert file.stat().st_size <= 150_000, file


def test_no_page_names_a_foreign_host_to_load_from(site):
    loading = re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(https?://[^\"\s>]+)"
    )
    for file in site.rglob("*.html"):
        found = [url for url in loading.findall(file.read_text("utf-8")) if "rnnnotes" not in url]
        assert found == [], file
