"""The site for everybody, and for a strict host: axe, keyboard, no scripts, a content policy."""

import base64
import hashlib
import re
from pathlib import Path

import axe_playwright_python
import pytest

from browsing import Visit, serving

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
FOUND = """async () => {
  const {violations} = await axe.run(document, {resultTypes: ["violations"]});
  return violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))]);
}"""

# The scripts that the theme writes into its pages, by how each begins and what it is for.
INLINE = {
    "__md_scope=": "where the site's root is, and what this browser keeps for it",
    "var palette=": "the scheme, before anything is drawn",
    "var target=": "opens the tab or the folded part that a link leads to",
}
# What the theme needs beside files of the site itself.
NEEDS = {
    "img-src": "data:",  # its icons stand in its style sheets
    "style-src": "'unsafe-inline'",  # it measures by setting styles, and hides what it replaces
}


def addresses(site: Path) -> list[str]:
    files = sorted(site.rglob("index.html"))
    return [f"{f.parent.relative_to(site).as_posix()}/".removeprefix("./") for f in files]


def policy(site: Path) -> str:
    """``default-src 'self'``, and each thing more that the theme needs, named."""
    hashes = set()
    for file in site.rglob("*.html"):
        for kind, body in re.findall(
            r"<script(?![^>]*\ssrc=)([^>]*)>(.*?)</script>", file.read_text("utf-8"), re.DOTALL
        ):
            if "application/json" in kind:
                continue  # data, which no policy stops
            assert any(body.startswith(known) for known in INLINE), f"{file}: {body[:80]}"
            digest = hashlib.sha256(body.encode()).digest()
            hashes.add(f"'sha256-{base64.b64encode(digest).decode()}'")
    parts = ["default-src 'self'", f"script-src 'self' {' '.join(sorted(hashes))}"]
    return "; ".join([*parts, *(f"{name} 'self' {value}" for name, value in NEEDS.items())])


# Every page is tried at 360 pixels in light colours, in test_every_page. Others are the same
# elements in other colours: a page of each kind will do.
SOME = ("", "gates/lstm/", "practice/mistakes/", "reference/statements/", "reference/api/training/")


@pytest.mark.parametrize("page", SOME)
def test_axe_finds_nothing_in_the_dark(chromium, site, page):
    with serving(site) as address, Visit(chromium, address, page, 1300, "dark") as visit:
        assert visit.tab.evaluate("document.body.dataset.mdColorScheme") == "slate"
        visit.tab.evaluate(AXE)
        assert visit.tab.evaluate(FOUND) == []


def test_under_a_strict_policy_search_and_palette_work(chromium, site):
    header = {"Content-Security-Policy": policy(site)}
    with serving(site, header) as address, Visit(chromium, address, "") as visit:
        box = visit.tab.locator("input.md-search__input")
        box.click()
        box.press_sequentially("peephole")
        visit.tab.locator(".md-search-result__item").first.wait_for(timeout=60_000)
        visit.tab.keyboard.press("Escape")
        visit.tab.locator("label[for='__palette_1']").click()
        visit.tab.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
        assert visit.complaints == []


def test_a_policy_without_the_theme_s_scripts_is_noticed(chromium, site):
    header = {"Content-Security-Policy": "default-src 'self'"}
    with serving(site, header) as address, Visit(chromium, address, "") as visit:
        assert any("Content Security Policy" in said for said in visit.complaints)


def keyboard_misses(tab):
    """What can be clicked on a page and is not reached by Tab."""
    tab.wait_for_timeout(300)
    # What a reader who sees can click. One button of a group of radio buttons stands for all.
    wanted = tab.evaluate(
        """() => {
          const usable = [...document.querySelectorAll('a[href], button, summary, input')];
          const shown = usable.filter(e => e.checkVisibility({visibilityProperty: true})
            && e.type !== 'checkbox' && (e.type !== 'radio' || e.checked)
            && !e.matches('.headerlink, [tabindex="-1"], [hidden]'));
          shown.forEach((e, k) => e.dataset.k = k);
          return shown.length;
        }"""
    )
    reached = set()
    for _ in range(3 * wanted + 50):
        tab.keyboard.press("Tab")
        now = tab.evaluate("document.activeElement.dataset.k")
        if now == "0" and len(reached) >= wanted:
            break
        reached.add(now)
    return tab.evaluate(
        """reached => [...document.querySelectorAll('[data-k]')]
          .filter(e => !reached.includes(e.dataset.k)).map(e => e.outerHTML.slice(0, 100))""",
        list(reached),
    )


@pytest.mark.parametrize("page", ["", "gates/lstm/", "reference/statements/", "practice/snippets/"])
def test_the_keyboard_reaches_everything_that_can_be_used(chromium, site, page):
    with serving(site) as address, Visit(chromium, address, page) as visit:
        assert keyboard_misses(visit.tab) == []


def test_without_scripts_all_that_a_page_says_is_there(chromium, site):
    with serving(site) as address:
        for page in addresses(site):
            with Visit(chromium, address, page, scripts=False) as visit:
                tab = visit.tab
                assert visit.foreign == [] and visit.complaints == [], page
                hidden = tab.evaluate(
                    """() => [...document.querySelectorAll(
                         'article :is(h1, h2, h3, p, pre, math, svg, table, .rn-verdict)')]
                       .filter(e => !e.closest('details:not([open])') && !e.closest('.tabbed-block')
                         && !e.matches('.rn-gradient-hint') && !e.checkVisibility())
                       .map(e => e.outerHTML.slice(0, 100))"""
                )
                assert hidden == [], page
