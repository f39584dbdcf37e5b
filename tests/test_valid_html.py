"""Every page and our style sheet by the Nu Html Checker, which is that of the W3C."""

import json
import re
import shutil
import subprocess

import pytest

from built_site import ROOT, page_files
from npm_tools import install, missing

CHECKER = "vnu-jar@26.9.27"
OUR_CSS = ROOT / "docs/assets/rnnnotes.css"
# What it says of markup that is not ours to change, as (message, where, why it may stay). Each must
# match something, or it has to go.
KNOWN = (
    (
        r"Attribute “autocomplete” is only allowed when the input type is ",
        r'id="__(drawer|search)"',
        "Material's switches for its drawer and its search; browsers ignore it on a checkbox, but "
        "for Firefox, which would keep one switched on over a reload",
    ),
    (
        r"Bad value “” for attribute “tabindex” on element “label”: The empty string",
        r'class="md-nav__link\b',
        "Material's sections; an empty tabindex counts as none",
    ),
    (
        r"The value of the “for” attribute of the “label” element must be the ID of a non-hidden",
        r'class="md-nav__title" for="__toc"',
        "Material's title of the table of contents on pages that are a section's index: it has no "
        "switch there, and the label does nothing",
    ),
    (
        r"Attribute “(displaystyle|scriptlevel)” not allowed on element “m\w+” at this point",
        r"<m",
        "global attributes in MathML Core, which browsers follow; the checker knows MathML 3",
    ),
    (
        r"Trailing slash on void elements has no effect",
        r"<(hr|br|img|input)\b",
        "Python-Markdown writes XHTML; every value is quoted, so no harm is done",
    ),
)


def complaints(files, folder):
    """What the checker says of HTML and CSS files."""
    undone = "the HTML was not validated"
    if not shutil.which("java"):
        missing(f"{undone}: there is no java")
    jar = install(CHECKER, folder, undone) / "build/dist/vnu.jar"
    # Little optimising, for it runs a few seconds; and room for its deep recursions.
    java = ["java", "-Xss4m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(jar)]
    options = ["--format", "json", "--also-check-css", "--exit-zero-always", "--stdout"]
    run = subprocess.run([*java, *options, *map(str, files)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["messages"]


def known(message):
    """The places in KNOWN that a message belongs to."""
    return [
        place
        for place, (says, where, _) in enumerate(KNOWN)
        if re.match(says, message["message"]) and re.search(where, message.get("extract", ""))
    ]


@pytest.mark.slow
def test_pages_and_style_sheet_are_valid_and_the_checker_sees_faults(site, tmp_path):
    pages = [*page_files(site).values(), site / "404.html"]
    spoiled = tmp_path / "spoiled.html"
    text = (site / "gates/lstm/index.html").read_text("utf-8")
    for whole, broken in {
        "</main>": "</mian>",
        "</figcaption>": '</figcaption><div id="fig-cell"></div><p align="left">',
        "<h1": '<img src="a.png"><h1',
    }.items():
        assert whole in text
        text = text.replace(whole, broken, 1)
    spoiled.write_text(text, "utf-8")
    spoiled_css = tmp_path / "spoiled.css"
    spoiled_css.write_text(OUR_CSS.read_text("utf-8") + "a { colour: red; color: bluish }\n")

    told = complaints([*pages, OUR_CSS, spoiled, spoiled_css], tmp_path)
    of_spoiled = " ".join(m["message"] for m in told if "/spoiled." in m["url"] and not known(m))
    for word in ("“mian”", "Duplicate ID", "“align” attribute", "“alt” attribute", "“colour”"):
        assert word in of_spoiled, word
    assert "“bluish” is not a “color” value" in of_spoiled

    ours = [message for message in told if "/spoiled." not in message["url"]]
    unknown = [
        f"{m['url'].partition(str(site))[2]}:{m.get('lastLine')}: {m['message']} {m.get('extract')}"
        for m in ours
        if not known(m)
    ]
    assert unknown == []
    matched = {place for message in ours for place in known(message)}
    assert [KNOWN[place][0] for place in {*range(len(KNOWN))} - matched] == [], "not said any more"
