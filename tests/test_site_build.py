"""A real build: everything that Material draws works on pages that were run."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from nbclient import NotebookClient

from rnnnotes.training.ledger import VERDICTS
from site_project import COUNTED, REPOSITORY, Project, machinery, tree, until

pytestmark = pytest.mark.slow

RICH = f"""\
# Everything at once

A claim with a source.[^pascanu] The BPTT way. It took `{{python}} f"{{steps:d}}"` steps.
See [the verdict](part/two.md#A1), [its row](reference/statements.md#row-A1),
[a figure](#fig-two-of-them), [a part](#a-part) and [the other page](part/two.md).

Inline $a_1 * b_2 * c$, and a dollar: 5\\$. Displayed:

$$
\\frac{{\\partial h_T}}{{\\partial h_t}} = \\prod_{{k=t+1}}^{{T}} W_k
$$

*[BPTT]: backpropagation through time

```python
{COUNTED}
import matplotlib.pyplot as plt

steps = 41 + 1
print("first output", steps)
```

## A part

```python
#| caption:
#|   - Rises by `{{python}} f"{{steps / 10:.1f}}"` a step
#|   - The second
#| description:
#|   - A line that rises to `{{python}} steps`.
#|   - A line that falls.
#| label: [fig-one, fig-two-of-them]
plt.plot([1, 2])
plt.title("rising & <falling>")
plt.figure()
plt.plot([2, 1]);
```

```python tags=["hide-input"]
hidden_input = "seen though its code is not"
print(hidden_input)
```

```python tags=["fold"]
folded_input = 1
print("under folded code")
```

```python
print("<b>bold?</b> *stars* `ticks` $5 & $6 [a](b) &amp;")
print("```")
print("# no heading")
print("    four spaces")
```

!!! note "A callout"

    Before, with a list:

    1. one

    ```python
    {COUNTED}
    print("in a callout", 7 * 6)
    print("<i>*raw*</i>")
    ```

    After.

??? question "What will it be?"

    ```python
    #| caption: Inside a folded callout, $x_1$
    #| description: A line inside a folded callout.
    plt.plot([1, 3, 2])
    ```

=== "Table"

    ```python
    import pandas as pd

    pd.DataFrame({{"*name*": ["a_b_c", "<d>"], "value": [1.5, 2.5]}})
    ```

=== "Other"

    Text of the other tab.

| left | right |
| ---- | ----- |
| one  | two   |

```python .noeval reason="shown only"
never = "run"
```

```python .noeval
--8<-- "src/shelf/base.py:double"
```

[^pascanu]: The footnote's text.
"""

TWO = f"""\
# The second page

```python
{COUNTED}
import rnnnotes as rn
from shelf.base import double

claim = rn.Claim("A1", "twice the number", above=3)
```

```python
because = "of *doubling*, [so](#A1), [or so](../rich.md)."
claim.settle({{"small | big": [double(1), double(2)], "big": [4.0]}}, because)
```

!!! tip "Boxes stand in callouts, too"

    ```python
    rn.cite("A2", because="it is there.")
    ```

Back to [everything](../rich.md#a-part).
"""

MEASURES = """\
# What the clock says

```python
import time

print(f"{time.time_ns()} ns")
```
"""


def make(root: Path) -> Project:
    project = Project.create(root)
    project.page("rich", RICH, "title: Everything\ntags: [gradients, remedies]\n")
    project.page("part/two", TWO, "title: Two\n")
    project.page("clock", MEASURES, "measures: time\n")
    project.write("docs/empty.md", "")
    project.write("docs/reference/statements.md", "# Statements\n\n<!-- rnnnotes: statements -->\n")
    project.write(
        "docs/reference/colophon.md",
        "# Colophon\n\n<!-- rnnnotes: verdict-A1 --> <!-- rnnnotes: verdict-counts -->\n\n"
        "<!-- rnnnotes: colophon -->\n",
    )
    project.write("src/shelf/__init__.py", "")
    project.write(
        "src/shelf/base.py",
        '''\
        def double(x):
            """Twice x."""
            return 2 * x
        ''',
    )
    project.statements({"id": "A1", "page": "part/two"}, {"id": "A2", "page": "part/two"})
    return project


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Project:
    """Built from nothing; ``first`` is its report."""
    project = make(tmp_path_factory.mktemp("one") / "project")
    assert set(project.built().values()) == {"ran"}
    project.first = project.report()
    return project


@pytest.fixture(scope="module")
def rich(built) -> Tag:
    """The article of the page that has everything."""
    (article,) = soup(built.html("rich")).select("article")
    return article


def soup(text: str) -> Tag:
    return BeautifulSoup(text, "lxml")


def one(element: Tag, selector: str, holding: str = "") -> Tag:
    found = [e for e in element.select(selector) if holding in e.get_text()]
    assert len(found) == 1, f"{len(found)} of {selector} with {holding!r}"
    return found[0]


# ---- what Material draws ---------------------------------------------------------------------


def test_a_callout_holds_the_code_and_the_output_of_its_block(rich):
    callout = one(rich, "div.admonition.note", "A callout")
    assert one(callout, "p.admonition-title").get_text() == "A callout"
    code, output = (e.get_text().strip() for e in callout.select("pre code"))
    assert "7 * 6" in code and output == "in a callout 42\n<i>*raw*</i>"
    assert "After." in callout.get_text()


def test_a_folded_callout_holds_the_figure_of_its_block(rich):
    callout = one(rich, "details.question")
    figure = one(callout, "figure.rn-figure")
    assert "Inside a folded callout" in one(figure, "figcaption").get_text()
    assert one(figure, "figcaption math") is not None
    svg = one(figure, "svg")
    assert svg.get("aria-label") == "A line inside a folded callout."


def test_a_tab_holds_the_table_of_its_block(rich):
    tabs = one(rich, "div.tabbed-set")
    assert [e.get_text() for e in tabs.select("div.tabbed-labels label")] == [
        "Table",
        "Other",
    ]
    first, second = tabs.select("div.tabbed-block")
    cells = [e.get_text() for e in one(first, "table").select("th, td")]
    assert cells == ["", "*name*", "value", "0", "a_b_c", "1.5", "1", "<d>", "2.5"]
    assert second.get_text().strip() == "Text of the other tab."


def test_footnotes_abbreviations_tables_and_tags(rich, built):
    assert one(rich, "sup a.footnote-ref").get("href") == "#fn:pascanu"
    assert "The footnote's text." in one(rich, "div.footnote li").get_text()
    assert one(rich, "abbr").get("title") == "backpropagation through time"
    table = one(rich, "table", "left")
    assert [e.get_text() for e in table.select("td")] == ["one", "two"]
    assert [e.get_text().strip() for e in rich.select(".md-tag")] == [
        "gradients",
        "remedies",
    ]


def test_maths_is_typeset_and_no_dollar_is_left(rich):
    assert len(rich.select(":scope > p math")) == 2
    displayed = one(rich, ".rn-display math")
    assert displayed.get("display") == "block" or "displaystyle" in str(displayed)
    prose = "".join(p.get_text() for p in rich.select("p"))
    assert prose.count("$") == 1 and "\\frac" not in prose


def test_the_table_of_contents_names_the_headings_and_nothing_else(built):
    page = soup(built.html("rich"))
    toc = {a.get("href") for a in page.select("nav.md-nav--secondary a.md-nav__link")}
    assert toc == {"#a-part"}
    assert [h.get_text().rstrip("¶") for h in page.select("article h1, article h2")] == [
        "Everything at once",
        "A part",
    ]


def test_links_reach_verdicts_rows_figures_and_pages(rich, built):
    links = {a.get_text(): a.get("href") for a in rich.select("article > p a")}
    assert links["the verdict"] == "../part/two/#A1"
    assert links["its row"] == "../reference/statements/#row-A1"
    assert soup(built.html("part/two")).select("article #A1[data-verdict=holds]") == (
        []
    )  # 2 is not above 3
    assert soup(built.html("part/two")).select("article #A1[data-verdict=conditional]")
    assert soup(built.html("reference/statements")).select("#row-A1")
    assert rich.select("figure#fig-two-of-them")


def test_the_word_of_a_verdict_leads_to_what_it_says_and_its_reason_keeps_its_links(built):
    word = soup(built.html("part/two")).select_one("#A1 a.rn-verdict-word")
    assert word.get_text() == "conditional"
    assert word.get("href") == "../../reference/statements/#verdict-conditional"
    table = soup(built.html("reference/statements"))
    assert "under some of the conditions" in table.select_one("tr:has(#verdict-conditional)").text
    links = [a.get("href") for a in table.select("#row-A1 a")]
    assert links == ["../../part/two/#A1", "../../part/two/#A1", "../../rich/"]


def test_a_page_can_name_a_verdict_of_another_page_and_count_them_all(built):
    place = one(soup(built.html("reference/colophon")), "article p:has(.rn-verdict-word)")
    word = one(place, "a")
    assert (word.get_text(), word.get("data-verdict")) == ("conditional", "conditional")
    assert word.get("href") == "../../part/two/#A1"
    assert "2 statements: 0 holds, 1 conditional, 0 fails, 0 answered" in place.get_text()


def test_every_internal_link_of_the_site_leads_somewhere(built):
    ids = {}
    pages = {f.parent: soup(f.read_text()) for f in built.site.rglob("index.html")}
    for folder, page in pages.items():
        ids[folder] = {e.get("id") for e in page.select("[id]")} | {None, "", "__comments"}
    for folder, page in pages.items():
        for link in page.select("article a[href]"):
            path, _, anchor = link.get("href").partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (folder / path).resolve()
            assert target in pages or target.is_file(), link.get("href")
            assert target.is_file() or anchor in ids[target], link.get("href")


def test_search_finds_prose_outputs_and_values(built):
    index = json.loads((built.site / "search/search_index.json").read_text())
    texts = " ".join(row["text"] for row in index["docs"] if row["location"].startswith("rich/"))
    for words in ("A claim with a source", "It took 42 steps", "first output 42", "in a callout"):
        assert words in texts
    assert any(row["location"] == "rich/#a-part" for row in index["docs"])


def test_nothing_needs_a_foreign_host(built):
    for file in built.site.rglob("*.html"):
        page = soup(file.read_text())
        loaded = [tag.get("src") for tag in page.select("script[src], img[src], iframe[src]")]
        loaded += [tag["href"] for tag in page.select("link[href]:not([rel=canonical])")]
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == [], file


# ---- code and what came out of it -------------------------------------------------------------


def test_code_is_shown_once_with_its_output_under_it(rich):
    shown = [e.get_text().strip() for e in rich.select("div.highlight pre code")]
    (at,) = [n for n, text in enumerate(shown) if 'print("first output", steps)' in text]
    assert shown[at + 1] == "first output 42"
    assert rich.get_text().count('print("first output", steps)') == 1
    assert "#|" not in rich.get_text()


def test_only_code_has_the_copy_button(rich):
    for text in ("first output 42", "seen though its code is not"):
        block = one(rich, "div.highlight", text)
        assert "no-copy" in block["class"] and "rn-output" in block["class"]
    code = one(rich, "div.highlight", 'print("first output"')
    assert "no-copy" not in code["class"]


def test_hidden_code_is_not_there_and_folded_code_is_folded(rich):
    assert "hidden_input" not in rich.get_text()
    assert "seen though its code is not" in rich.get_text()
    folded = one(rich, "details.code")
    assert "folded_input = 1" in folded.get_text()
    assert not folded.select(".rn-output")
    assert one(rich, ".rn-output", "under folded code")
    assert not folded.has_attr("open")


def test_output_is_shown_to_the_letter(rich):
    texts = [e.get_text() for e in rich.select(".rn-output pre code")]
    wanted = "<b>bold?</b> *stars* `ticks` $5 & $6 [a](b) &amp;\n```\n# no heading\n    four spaces"
    assert wanted in [text.strip() for text in texts]


def test_figures_are_described_captioned_and_follow_the_palette(rich):
    first, second = (one(rich, f"figure#{name}") for name in ("fig-one", "fig-two-of-them"))
    assert one(first, "figcaption").get_text().strip() == "Rises by 4.2 a step"
    assert one(second, "figcaption").get_text().strip() == "The second"
    svg = one(first, "svg")
    assert svg.get("aria-label") == "A line that rises to 42." and svg.get("role") == "img"
    assert "rising & <falling>" in svg.get_text()
    assert "var(--rn-" in str(svg)
    ids = [e["id"] for e in rich.select("[id]")]
    assert len(ids) == len(set(ids))


def test_package_source_is_shown_by_name(rich):
    block = one(rich, "div.highlight", "def double")
    assert one(block, ".filename").get_text() == "src/shelf/base.py:1"
    assert '"""Twice x."""' in block.get_text()


def test_what_is_not_run_is_shown_without_its_reason(rich):
    assert 'never = "run"' in rich.get_text()
    assert "reason" not in rich.get_text() and "noeval" not in rich.get_text()


def test_verdicts_have_their_box_and_their_row(built):
    page = soup(built.html("part/two"))
    box = one(page, "article div.rn-verdict#A1")
    assert box.get("data-verdict") == "conditional"
    assert one(box, "em").get_text() == "doubling"
    rows = [[c.get_text() for c in r.select("td")] for r in box.select("tbody tr")]
    assert rows == [["small | big", "3 (2 to 4)", "1 of 2"], ["big", "4", "1 of 1"]]
    nested = one(page, "article div.admonition.tip div.rn-verdict")
    assert (nested.get("id"), nested.get("data-verdict")) == ("A2", "cited")


def test_the_list_of_statements_counts_shows_and_folds_what_was_measured(built):
    page = soup(built.html("reference/statements"))
    counted = [[c.get_text() for c in r.select("td")] for r in page.select("tbody")[0].select("tr")]
    assert [row[0] for row in counted] == [*VERDICTS, "all"]
    assert counted[1] == ["conditional", "1", "–", "–", "–", "–", "1"]
    assert counted[2] == ["fails", "–", "–", "–", "–", "–", "0"]
    assert counted[-1] == ["all", "2", "0", "0", "0", "0", "2"]
    entry = one(page, ".rn-statements > #row-A1.rn-statement")
    assert (entry.get("data-note"), entry.get("data-verdict")) == ("A", "conditional")
    assert [p.get_text() for p in entry.select("p")] == [
        "A1 conditional Something.",
        "of doubling, so, or so.",
    ]
    assert one(entry, "details summary").get_text() == (
        "Measured: twice the number; threshold above 3, in all runs; holds under 1 of 2 conditions"
    )
    lines = {li.get_text(): li.get("class") for li in entry.select("details li")}
    assert lines == {"small | big: 3 (2 to 4), 1 of 2": ["rn-not"], "big: 4, 1 of 1": None}
    assert page.select("#row-A2 a")[0].get("href") == "../../part/two/#A2"
    assert not page.select("#row-A2 details")
    buttons = [label.get_text() for label in page.select(".rn-filters label")]
    assert buttons == ["all", *"ABCDE", "all", *VERDICTS]


def test_the_list_of_statements_as_data(built):
    data = json.loads((built.site / "reference/statements.json").read_text("utf-8"))
    assert data["counts"] == dict.fromkeys(VERDICTS, 0) | {"conditional": 1, "cited": 1}
    assert data["verdicts"] == VERDICTS and data["notes"].keys() == set("ABCDE")
    first, second = data["statements"]
    root = "https://rnnnotes.github.io/rnnnotes"
    assert first["because"] == (f"of *doubling*, [so]({root}/part/two/#A1), [or so]({root}/rich/).")
    assert first["url"] == "https://rnnnotes.github.io/rnnnotes/part/two/#A1"
    assert first["share_needed"] == 1 and first["threshold"] == "above 3"
    assert [(c["name"], c["runs"], c["holds"]) for c in first["conditions"]] == [
        ("small | big", 2, False),
        ("big", 1, True),
    ]
    assert (second["id"], second["verdict"], second["conditions"]) == ("A2", "cited", [])
    assert second["share_needed"] is None


def test_an_article_holds_no_inline_style_and_no_script(built):
    for file in built.site.rglob("index.html"):
        for article in soup(file.read_text()).select("article"):
            assert article.select("[style], [onclick], script, style") == [], file


# ---- to take home ------------------------------------------------------------------------------


def test_the_notebook_is_valid_holds_the_outputs_and_runs(built, rich, tmp_path, monkeypatch):
    link = one(rich, "a.rn-download", "Notebook")
    file = (built.site / "rich" / link.get("href")).resolve()
    book = nbformat.read(file, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(code) == 8
    assert code[0].outputs[0].text == "first output 42\n"
    assert [out.output_type for out in code[1].outputs] == ["display_data", "display_data"]
    # A block that ends with a plotting call returns an address, which no two builds share.
    assert code[6].source.endswith("plt.plot([1, 3, 2])")
    assert [out.output_type for out in code[6].outputs] == ["display_data"]
    prose = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert "It took 42 steps" in prose and "$a_1 * b_2 * c$" in prose
    assert "{python}" not in prose and "!!!" not in prose and '=== "' not in prose
    assert 'never = "run"' in prose and "def double" in prose

    for name, value in built.environment().items():
        monkeypatch.setenv(name, value)
    ran = NotebookClient(book, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    first = next(cell for cell in ran.cells if cell.cell_type == "code")
    assert first.outputs[0].text == "first output 42\n"


def test_the_script_runs(built, rich, tmp_path):
    link = one(rich, "a.rn-download", "Script")
    script = (built.site / "rich" / link.get("href")).resolve()
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=built.environment(MPLBACKEND="agg"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("first output 42\nseen though its code is not\n")
    assert "in a callout 42" in done.stdout


def test_only_executed_pages_offer_downloads(built):
    assert {f.relative_to(built.site).as_posix() for f in built.site.rglob("*.ipynb")} == {
        "rich.ipynb",
        "clock.ipynb",
        "part/two.ipynb",
    }
    assert "rn-download" not in built.html("reference/colophon")


# ---- the report, and the same again --------------------------------------------------------------


def test_the_report_tells_what_ran_and_what_it_took(built):
    rows = {row["page"]: row for row in built.first["pages"]}
    assert rows.keys() == {"rich", "clock", "part/two"}
    wanted = {"rich": (8, 3, 0), "clock": (1, 0, 0), "part/two": (3, 0, 2)}
    for name, row in rows.items():
        assert row["status"] == "ran"
        assert (row["blocks"], row["figures"], row["verdicts"]) == wanted[name]
        assert row["seconds"] > 0
    for name in ("python", "torch", "matplotlib", "mkdocs"):
        assert re.match(r"\d+\.\d+", built.first["versions"][name])


def test_again_with_nothing_changed_keeps_all_and_makes_the_same_site(built):
    before, count = tree(built.site), built.counted()
    assert set(built.built().values()) == {"kept"}
    assert tree(built.site) == before
    assert built.counted() == count
    for row, first in zip(built.report()["pages"], built.first["pages"], strict=True):
        assert row == first | {"status": "kept"}
    built.assert_nothing_left()


def test_the_colophon_says_nothing_that_changes_from_build_to_build(built):
    text = one(soup(built.html("reference/colophon")), "article").get_text()
    for name, version in built.first["versions"].items():
        assert name in text and version in text
    links = {a.get("href") for a in soup(built.html("reference/colophon")).select("td a")}
    for row in built.first["pages"]:
        assert f"../../{row['page']}/" in links
        assert str(row["seconds"]) not in text
    assert "seconds" not in text and "ran" not in text.split() and "kept" not in text.split()


def test_two_clean_builds_in_two_folders_are_the_same_but_for_measured_time(
    built, tmp_path, monkeypatch
):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    monkeypatch.setenv("LC_ALL", "C")
    other = make(tmp_path / "a folder of another name")
    other.built()
    one_, two = tree(built.site), tree(other.site)
    assert one_.keys() == two.keys()
    different = {path for path in one_ if one_[path] != two[path]}
    assert different == {"clock/index.html", "clock.ipynb", "search/search_index.json"}
    indices = []
    for project in (built, other):
        index = json.loads((project.site / "search/search_index.json").read_text())
        index["docs"] = [d for d in index["docs"] if not d["location"].startswith("clock/")]
        indices.append(index)
    assert indices[0] == indices[1]


def test_without_our_plugin_mkdocs_jupyter_runs_every_page(tmp_path):
    """Pages stay standard: what only we know (values, sections) is then merely not filled in."""
    project = make(tmp_path / "project")
    jupyter = next(
        plugin["mkdocs-jupyter"]
        for plugin in yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["plugins"]
        if "mkdocs-jupyter" in plugin
    )
    project.configure(plugins=[{"mkdocs-jupyter": jupyter | {"execute": True}}, "search", "tags"])
    build = project.build("--no-strict")
    assert build.code == 0, build.text
    # Once a page: the block inside of the callout is prose for Jupyter.
    assert project.counted() == 2
    assert "first output 42" in project.html("rich")
    assert re.search(r"\d{19} ns", project.html("clock"))
    assert not (project.root / "build").exists()


def test_kernels_come_with_torch_only_where_a_page_names_it(tmp_path):
    project = Project.create(tmp_path / "project")
    body = """
        ```python
        import sys

        loaded = set(sys.modules)
        import {word}

        print("came with it:", "tor" + "ch" in loaded, "matplotlib.pyplot" in loaded)
        ```
        """
    project.page("cold", body.format(word="json"))
    project.built()
    project.page("warm", body.format(word="torch"))
    assert project.built() == {"cold": "kept", "warm": "ran"}
    assert "came with it: False True" in project.html("cold")
    assert "came with it: True True" in project.html("warm")


# ---- the live preview --------------------------------------------------------------------------


def test_serve_shows_edits_runs_nothing_for_prose_and_outlives_a_broken_page(built, tmp_path):
    project = built.copy(tmp_path / "project")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = (tmp_path / "log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "mkdocs", "serve", "--dev-addr", address],
        cwd=project.root,
        env=project.environment(),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    def shows(words: str) -> bool:
        try:
            # The site's address in mkdocs.yml has a path, which the preview keeps.
            with urllib.request.urlopen(f"http://{address}/rnnnotes/rich/", timeout=30) as page:
                return words in page.read().decode()
        except OSError:
            return False

    def said() -> str:
        return (tmp_path / "log").read_text()

    try:
        until(lambda: shows("A claim with a source."), 120, said)
        project.replace("docs/rich.md", "A claim with", "A statement with")
        until(lambda: shows("A statement with a source."), 60, said)
        assert project.counted() == 0, said()

        line = project.line("docs/rich.md", 'print("first output"')
        project.replace("docs/rich.md", 'print("first output", steps)', 'print("first", stepz)')
        until(lambda: f"docs/rich.md:{line}: NameError" in said(), 120, said)
        assert server.poll() is None

        project.replace("docs/rich.md", "stepz", "steps")
        until(lambda: shows("first 42"), 120, said)
        assert not machinery(said())
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(30)
        log.close()
    project.assert_nothing_left()
