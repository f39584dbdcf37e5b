"""In a real browser, on every page, what the ordinary suite tries on one page of each kind."""

import nbformat
import pytest

from browsing import Visit, serving
from test_access import AXE, FOUND, addresses, keyboard_misses

pytestmark = pytest.mark.browser

# A signature in the reference is not code to run: it has no button.
CODE = "div.highlight:not(.no-copy, .doc-signature):has(code)"
FILLS = """() => [...document.querySelectorAll('.rn-svg')].map(figure =>
  [...figure.querySelectorAll('text, path, line, use')].map(e => {
    const style = getComputedStyle(e);
    return style.fill + style.stroke;
  }).join())"""


@pytest.fixture(scope="module")
def address(site):
    with serving(site) as at:
        yield at


@pytest.mark.parametrize(
    ("width", "scheme"), [(1300, "light"), (1300, "dark"), (360, "light"), (360, "dark")]
)
def test_axe_finds_nothing(chromium, address, site, width, scheme):
    found = {}
    for page in addresses(site):
        with Visit(chromium, address, page, width, scheme) as visit:
            visit.tab.evaluate(AXE)
            found[page] = visit.tab.evaluate(FOUND)
    assert {page: faults for page, faults in found.items() if faults} == {}


def test_every_copy_button_copies_exactly_its_code(chromium, address, site):
    copied = 0
    for page in addresses(site):
        with Visit(chromium, address, page) as visit:
            tab = visit.tab
            visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
            # What is folded or behind a tab has its button too, once it is shown.
            tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            blocks = tab.locator(f"{CODE}:visible")
            for block in blocks.all():
                block.scroll_into_view_if_needed()
                block.hover()
                button = block.locator("button").first
                tab.evaluate("navigator.clipboard.writeText('nothing copied')")
                button.click()
                tab.wait_for_function(
                    "navigator.clipboard.readText().then(text => text !== 'nothing copied')"
                )
                text = tab.evaluate("navigator.clipboard.readText()")
                code = block.locator("code").evaluate("e => e.textContent")
                assert text.rstrip("\n") == code.rstrip("\n"), page
                assert "#| " not in text, page
                copied += 1
    assert copied > 400, "there are more blocks than that on the site"


def test_the_palette_switch_changes_every_figure(chromium, address, site):
    changed = 0
    for page in addresses(site):
        with Visit(chromium, address, page) as visit:
            before = visit.tab.evaluate(FILLS)
            visit.tab.locator("label[for='__palette_1']").click()
            visit.tab.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
            visit.tab.wait_for_timeout(400)  # colours may fade
            after = visit.tab.evaluate(FILLS)
            kept = [k for k, (old, new) in enumerate(zip(before, after, strict=True)) if old == new]
            assert kept == [], f"{page}: figures that keep their colours in the dark"
            changed += len(before)
    assert changed > 100, "there are more figures than that on the site"


def test_every_download_is_what_it_says(chromium, address, site):
    opened = 0
    for page in addresses(site):
        with Visit(chromium, address, page) as visit:
            for link in visit.tab.locator("a.rn-download").all():
                with visit.tab.expect_download() as waiting:
                    link.click()
                file = waiting.value
                text = file.path().read_text("utf-8")
                if file.suggested_filename.endswith(".ipynb"):
                    nbformat.validate(nbformat.reads(text, as_version=4))
                else:
                    compile(text, file.suggested_filename, "exec")
                opened += 1
    assert opened >= 50, "every page that is run has a notebook and a script"


def test_the_keyboard_reaches_everything(chromium, address, site):
    missed = {}
    for page in addresses(site):
        with Visit(chromium, address, page) as visit:
            missed[page] = keyboard_misses(visit.tab)
    assert {page: what for page, what in missed.items() if what} == {}
