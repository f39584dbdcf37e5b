"""Two clean builds of the whole project, in two folders: the same files, but for measured time.

A page that measures time says `measures: time` in its front matter. Of such a page the HTML and the
notebook may differ, and of its script the comments, where its text stands with what was measured;
and what gathers from all pages may differ only in what it says of such pages: the list of
statements, the same list as data, and the index of the search.
Everything else is the same to the byte, sitemap, its gzip, feed and cards included.
"""

import ast
import json
import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from site_project import tree

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from whole_project import WholeProject

# Gathered from all pages, those that measure time included.
LIST = "reference/statements/index.html"
DATA = "reference/statements.json"
SEARCH = "search/search_index.json"


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Nothing kept, in folders of other names, in another time zone and another language."""
    folder = tmp_path_factory.mktemp("clean")
    places = {
        "one": {},
        "a folder of another name": {"TZ": "Asia/Shanghai", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
    }
    # Both copies first: an edit of the project while one is built is then in neither.
    projects = [WholeProject.create(folder / name) for name in places]
    for project in projects:
        unlimited(project)
    for project, env in zip(projects, places.values(), strict=True):
        assert set(project.built(**env).values()) == {"ran"}
    return projects


def unlimited(project: WholeProject) -> None:
    """Limits of time, which no output shows, would end a page's run on a busy machine."""
    project.replace(
        "mkdocs.yml", "social_cards: true", "social_cards: true\n      time_limit: 3600"
    )
    for page in project.pages:
        file = project.root / page.path
        file.write_text(re.sub(r"time_limit: \d+", "time_limit: 3600", page.text), "utf-8")


@pytest.fixture(scope="module")
def timed(builds):
    names = {page.name for page in builds[0].pages if page.measures_time}
    assert names, "no page says `measures: time`, and then nothing at all may differ"
    return names


def address(name: str) -> str:
    """The folder in the site of a page: ``remedies/index`` stands in ``remedies``."""
    return name.removesuffix("index").removesuffix("/")


def test_only_what_measures_time_differs(builds, timed):
    one, two = (tree(project.site) for project in builds)
    assert one.keys() == two.keys()
    may = {f"{address(name)}/index.html" for name in timed} | {LIST, DATA, SEARCH}
    may |= {f"{name}.{kind}" for name in timed for kind in ("ipynb", "py")}
    assert may <= one.keys()
    assert sorted(path for path in one if one[path] != two[path] and path not in may) == []


def test_pages_that_measure_time_have_the_same_code_and_the_same_headings(builds, timed):
    for name in timed:
        books = [json.loads((p.site / f"{name}.ipynb").read_text("utf-8")) for p in builds]
        code = [[c["source"] for c in b["cells"] if c["cell_type"] == "code"] for b in books]
        assert code[0] == code[1] and code[0], name
        scripts = [ast.parse((p.site / f"{name}.py").read_text("utf-8")) for p in builds]
        assert ast.dump(scripts[0]) == ast.dump(scripts[1]) and len(scripts[0].body) > 9, name
        pages = [soup(project.site / address(name) / "index.html") for project in builds]
        heads = [[h.get_text() for h in page.select("h1, h2, h3, figure[id]")] for page in pages]
        assert len(heads[0]) == len(heads[1]) > 3, name
        assert str(pages[0].head) == str(pages[1].head), name


def test_what_gathers_from_all_pages_differs_only_in_what_it_says_of_those(builds, timed):
    data = [json.loads((project.site / DATA).read_text("utf-8")) for project in builds]
    words = [{row["id"]: row["verdict"] for row in found["statements"]} for found in data]
    assert words[0] == words[1], "a verdict that depends on how busy the machine is"
    for found in data:
        found["statements"] = [row for row in found["statements"] if row["page"] not in timed]
    assert data[0] == data[1]

    lists = [soup(project.site / LIST) for project in builds]
    for found in lists:
        links = found.select(".rn-statement a.rn-verdict-id")
        gone = [
            a for a in links if a["href"].lstrip("./").partition("/#")[0] in map(address, timed)
        ]
        assert gone
        for link in gone:
            link.find_parent(class_="rn-statement").decompose()
    assert str(lists[0]) == str(lists[1])

    indices = [json.loads((project.site / SEARCH).read_text("utf-8")) for project in builds]
    apart = (*(f"{address(name)}/" for name in timed), "reference/statements/")
    for index in indices:
        assert len(index["docs"]) > 300
        index["docs"] = [row for row in index["docs"] if not row["location"].startswith(apart)]
    assert indices[0] == indices[1]


def soup(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text("utf-8"), "lxml")
