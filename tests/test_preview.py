"""The live preview keeps pages from one build to the next, and shows the site as if it did not."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from site_project import Project, tree

# As `mkdocs serve` builds after every save, but that it waits for nothing: for each round of edits
# one line of JSON, and of a build that was good the site in a folder of that number. Of each file
# that is edited comes its new text, or nothing, which removes it.
DRIVER = """
import json, logging, pathlib, shutil, sys
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.structure.pages import Page

logging.basicConfig(level=logging.WARNING)
out, rounds = sys.argv[1], json.loads(sys.argv[2])
drawn, read, woven = [], [], []
render = Page.render
Page.render = lambda page, *args: (drawn.append(page.file.src_uri[:-3]), render(page, *args))
from material.plugins.search.plugin import Parser
feed = Parser.feed
Parser.feed = lambda parser, text: (read.append(text), feed(parser, text))
from rnnnotes.site.weave import Weaver
weave = Weaver.weave
Weaver.weave = lambda weaver: (woven.append(weaver.page.name), weave(weaver))[1]

def config():
    found = load_config("mkdocs.yml", site_dir=f"{out}/site")
    found.site_url = "http://127.0.0.1:8000/rnnnotes/"
    return found

first = config()
first.plugins.on_startup(command="serve", dirty=False)
for number, edits in enumerate(rounds):
    for path, text in edits.items():
        file = pathlib.Path(path)
        file.unlink() if text is None else file.write_text(text, "utf-8")
    drawn.clear(), read.clear(), woven.clear()
    try:
        build(first if number == 0 else config(), serve_url="http://127.0.0.1:8000/rnnnotes/")
        good = True
        shutil.copytree(f"{out}/site", f"{out}/{number}")
    except Exception as error:
        good = False
        print(repr(error))
    print("ROUND", json.dumps([good, sorted(drawn), len(read), sorted(woven)]), flush=True)
"""

FIRST = """\
# First

See [the part](second.md#the-part), [a thing][rnnnotes_thing.double] and [one more](second.md).

```text
lines in a box
```
"""
SECOND = "---\ntags: [order]\n---\n\n# Second\n\nWords to find.\n\n## The part\n\nAnd $a^2$.\n"
NAMES = "# Names\n\n::: rnnnotes_thing.double\n"
TAGS = "# Tags\n\n<!-- material/tags -->\n"
STATEMENTS = "# Statements\n\n<!-- rnnnotes: statements -->\n"
STATEMENT = {"id": "A1", "page": "run", "kind": "claim", "says": "This.", "settle": "Measure it."}
GLOSSARY = "# Words\n\n<!-- rnnnotes: glossary -->\n"
TERM = "- {term: cell, zh: 单元, says: %s, page: first}\n"
RUN = """\
# What runs

A cell of two. Their file's name is `{python} f"{len(words):d}"` long.

```python
import rnnnotes as rn

words = "../snippets/words.txt"
claim = rn.Claim("A1", "length", above=3)
claim.settle({"all": [float(len(words))] * 2}, "they are long.")
```

```python .noeval
--8<-- "snippets/shown.py"
```
"""
LAYOUT = '{% extends "base.html" %}{% block footer %}Below every page.{% endblock %}'
CODE = 'def double(x: float) -> float:\n    """Twice the number."""\n    return 2 * x\n'


@dataclass(frozen=True)
class Round:
    """What came of one save."""

    good: bool
    drawn: list[str]
    read: int  # pages that the search read
    woven: list[str]
    said: str


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("preview") / "project")
    jupyter = {"mkdocs-jupyter": {"include": ["*.md"], "execute": False}}
    handlers = {"python": {"paths": ["src"]}}
    strings = {"mkdocstrings": {"enable_inventory": False, "handlers": handlers}}
    project.configure(plugins=[{"rnnnotes": {}}, jupyter, "search", strings, "tags"])
    config = yaml.safe_load((project.root / "mkdocs.yml").read_text("utf-8"))
    config["theme"]["custom_dir"] = "docs/.theme"
    project.write("mkdocs.yml", yaml.safe_dump(config, sort_keys=False))
    project.write("docs/.theme/main.html", LAYOUT)
    texts = {"first": FIRST, "second": SECOND, "names": NAMES, "tags": TAGS}
    for name, text in texts.items():
        project.write(f"docs/{name}.md", text)
    project.page("run", RUN)
    project.write("snippets/words.txt", "old words")
    project.write("snippets/shown.py", "shown = 1\n")
    project.statements(STATEMENT)
    project.write("docs/reference/statements.md", STATEMENTS)
    project.write("docs/glossary.yml", TERM % "One step")
    project.write("docs/reference/glossary.md", GLOSSARY)
    project.write("src/rnnnotes_thing.py", CODE)
    project.built()  # what runs is kept
    return project


def written(project: Project, edits: dict[str, str | None]) -> dict[str, str | None]:
    """Writes files, or removes them; what would undo it."""
    before = {}
    for path, text in edits.items():
        file = project.root / path
        before[path] = file.read_text("utf-8") if file.exists() else None
        file.unlink() if text is None else project.write(path, text)
    return before


def previewed(project: Project, folder: Path, *rounds: dict[str, str | None]) -> list[Round]:
    """A preview, as it is shown at first and after each round of edits."""
    command = [sys.executable, "-c", DRIVER, str(folder), json.dumps([{}, *rounds])]
    done = subprocess.run(
        command,
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=project.patience,
    )
    said, *parts = re.split(r"^ROUND (.+)\n", done.stdout, flags=re.MULTILINE)
    assert len(parts) == 2 * len(rounds) + 2, done.stdout
    texts = [said, *parts[1::2]]
    return [Round(*json.loads(line), text) for line, text in zip(parts[::2], texts, strict=False)]


GATHERING = ["reference/glossary", "reference/statements"]
EVERY = ["first", "index", "names", *GATHERING, "run", "second", "tags"]
MORE = [*EVERY, "third"]


@dataclass(frozen=True)
class Edit:
    """The new text of files, and the pages for which there is work to do."""

    files: dict[str, str | None]
    drawn: list[str] = field(default_factory=list)
    read: int = 0  # with the list of tags, where something of a page stands
    woven: list[str] = field(default_factory=list)  # beside those that gather from others


EDITS = {
    "nothing": Edit({}),
    "prose": Edit({"docs/second.md": SECOND.replace("Words", "Wit")}, ["second"], 1, ["second"]),
    "a title": Edit({"docs/second.md": SECOND.replace("# S", "# Un")}, ["second"], 2, ["second"]),
    "a tag": Edit({"docs/second.md": SECOND.replace("order", "disorder")}, [], 2, ["second"]),
    "documented code": Edit({"src/rnnnotes_thing.py": CODE.replace("Twice", "2 x")}, EVERY, 1),
    "one page more": Edit({"docs/third.md": "# Third\n\n[First](first.md)\n"}, MORE, 1, MORE),
    "one file more": Edit({"docs/data.txt": "1\n"}, EVERY),
    "the layout": Edit({"docs/.theme/main.html": LAYOUT.replace("Below", "Under")}, EVERY),
    "what a page shows": Edit({"snippets/shown.py": "shown = 2\n"}, ["run"], 1, ["run"]),
    # Only the notebook, which brings the file, is another.
    "what a page names": Edit({"snippets/words.txt": "new words"}, [], 0, ["run"]),
    "a statement": Edit(
        {"docs/statements.yml": yaml.safe_dump([STATEMENT | {"says": "That."}])},
        ["reference/statements", "run"],
        2,
        EVERY,
    ),
    "a term": Edit(
        {"docs/glossary.yml": TERM % "One of many"}, ["reference/glossary", "run"], 2, EVERY
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_after_an_edit_the_preview_is_what_a_new_one_would_show(project, tmp_path, name):
    edit = EDITS[name]
    own, new = project.copy(tmp_path / "own"), project.copy(tmp_path / "new")
    undo = written(new, edit.files)
    (expected,) = previewed(new, tmp_path / "expected")
    assert expected.good, expected.said

    rounds = previewed(own, tmp_path / "shown", edit.files, undo, edit.files)
    assert [each.good for each in rounds] == [True] * 4, rounds
    assert rounds[0].drawn == rounds[0].woven == EVERY and rounds[0].read == len(EVERY)
    assert rounds[1].drawn == sorted(edit.drawn)
    assert rounds[1].read == edit.read
    assert rounds[1].woven == sorted({*edit.woven, *GATHERING})

    shown = [tree(tmp_path / "shown" / str(number)) for number in range(4)]
    assert shown[1] == shown[3] == tree(tmp_path / "expected/0")
    assert shown[2] == shown[0] and len(shown[0]) > 50
    assert (shown[1] == shown[0]) == (name == "nothing")


def test_what_is_wrong_is_told_until_it_is_mended(project, tmp_path):
    own = project.copy(tmp_path / "own")
    gone = {"docs/second.md": SECOND.replace("## The part", "## The piece")}
    lost = {"docs/first.md": FIRST + "\n[nowhere](nowhere.md)\n"}
    other = {"docs/index.md": "# Home\n\nOther words.\n"}
    rounds = previewed(
        own,
        tmp_path / "out",
        *(gone, {"docs/second.md": SECOND}, lost, other, {"docs/first.md": FIRST}),
    )
    assert [each.good for each in rounds] == [True, False, True, False, False, True]
    assert "'second.md#the-part'" in rounds[1].said  # of a page that was not drawn again
    for number in (3, 4):
        assert "'nowhere.md'" in rounds[number].said
    assert rounds[4].drawn == ["first", "index"]
