"""Every page in a real Chromium: opened once, then looked at in both schemes and widths."""

import pytest

from browsing import Visit, serving
from test_access import AXE, FOUND, addresses, policy

pytestmark = pytest.mark.browser
WIDTHS = (360, 1300)
SCHEMES = {"light": "default", "dark": "slate"}

# Elements that reach beyond the right edge of the page, other than those inside of a box that
# scrolls by itself (long code lines, wide tables).
BEYOND = """() => {
  const wide = [];
  for (const e of document.querySelectorAll('.md-content *')) {
    const box = e.getBoundingClientRect();
    if (box.width === 0 || box.right <= document.documentElement.clientWidth + 1) continue;
    let inner = e.parentElement, scrolls = false;
    while (!inner.matches('.md-content') && !scrolls) {
      scrolls = ['auto', 'scroll', 'hidden'].includes(getComputedStyle(inner).overflowX)
                && !inner.classList.contains('rn-display');
      inner = inner.parentElement;
    }
    if (!scrolls) wide.push(e.tagName + '.' + e.className);
  }
  return wide;
}"""

FORMULAS_CUT = """() => [...document.querySelectorAll('.rn-display')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"""

# In pixels of the screen: a figure is drawn larger or smaller than its own units.
SMALLEST_FIGURE_TEXT = """() => Math.min(...[...document.querySelectorAll('.rn-svg text')]
  .map(e => [parseFloat(getComputedStyle(e).fontSize), e.getScreenCTM()])
  .map(([size, m]) => size * Math.hypot(m.a, m.b)), 99)"""

FIGURE_TEXT_CUT = """() => [...document.querySelectorAll('.rn-svg')].flatMap(figure => {
  const frame = figure.getBoundingClientRect();
  return [...figure.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 2 || box.right > frame.right + 2
        || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
  }).map(text => text.textContent);
})"""

# After a change of width the theme moves its drawers for a moment: they are put to the end.
DRAWN = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  document.getAnimations()
    .filter(move => move.effect.getComputedTiming().endTime < Infinity)
    .forEach(move => move.finish());
}"""


def looked_at(tab, width):
    """What is wrong with a page as it is shown now: nothing, if all are as wanted."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.evaluate(DRAWN)
    found = {
        "wider than the screen": max(tab.evaluate("document.documentElement.scrollWidth"), width),
        "beyond the edge": tab.evaluate(BEYOND),
        "formulas cut": tab.evaluate(FORMULAS_CUT),
        "text cut in figures": tab.evaluate(FIGURE_TEXT_CUT),
        "small text in figures": min(tab.evaluate(SMALLEST_FIGURE_TEXT), 9),
    }
    wanted = {"wider than the screen": width, "small text in figures": 9}
    return {what: is_ for what, is_ in found.items() if is_ != wanted.get(what, [])}


@pytest.fixture(scope="module")
def seen(chromium, site):
    """What is wrong, by page: in each scheme and width, by axe, and what the browser told.

    The site is served under the strict policy, so that what the browser told is of that, too.
    """
    found = {"axe": {}, "complaints": {}, "foreign": {}}
    found |= {(width, scheme): {} for width in WIDTHS for scheme in SCHEMES}
    with serving(site, {"Content-Security-Policy": policy(site)}) as address:
        for page in addresses(site):
            with Visit(chromium, address, page, WIDTHS[0]) as visit:
                tab = visit.tab
                for scheme, name in SCHEMES.items():
                    if scheme == "dark":
                        tab.evaluate("document.querySelector('#__palette_1').click()")
                    tab.wait_for_function(f"document.body.dataset.mdColorScheme === '{name}'")
                    for width in WIDTHS:
                        found[width, scheme][page] = looked_at(tab, width)
                        if (width, scheme) == (360, "light"):  # as it was opened
                            tab.evaluate(AXE)
                            found["axe"][page] = tab.evaluate(FOUND)
                tab.evaluate("document.fonts.ready.then(() => true)")
                found["complaints"][page] = visit.complaints
                found["foreign"][page] = visit.foreign
    assert all(len(pages) > 40 for pages in found.values())
    return {what: {k: v for k, v in pages.items() if v} for what, pages in found.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits(seen, width, scheme):
    assert seen[width, scheme] == {}


def test_axe_finds_nothing_on_any_page(seen):
    assert seen["axe"] == {}


def test_under_a_strict_policy_no_page_breaks(seen):
    assert seen["complaints"] == {}


def test_every_page_stays_at_home(seen):
    assert seen["foreign"] == {}


def test_what_is_wrong_is_seen(chromium, site):
    """The same look, at a page into which faults are put."""
    with serving(site) as address, Visit(chromium, address, "gates/lstm/", 360) as visit:
        tab = visit.tab
        assert looked_at(tab, 360) == {}
        tab.evaluate(
            """() => {
              const article = document.querySelector('.md-content__inner');
              article.insertAdjacentHTML('beforeend', '<div style="width: 2000px">wide</div>');
              document.querySelector('.rn-display').style.cssText = 'width: 20px; overflow: hidden';
              const text = document.querySelector('.rn-svg text');
              text.setAttribute('transform', 'translate(9000)');
              text.style.fontSize = '1px';
            }"""
        )
        assert len(looked_at(tab, 360)) == 5
