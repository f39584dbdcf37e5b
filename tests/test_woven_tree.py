"""The woven pages as plain Markdown: what any other builder takes over."""

import importlib.util
import subprocess
import sys

import pytest
import yaml
from bs4 import BeautifulSoup, Comment, Tag

from site_project import COUNTED, Project, machinery, tree

pytestmark = pytest.mark.slow

PAGE = f"""\
# A page

Text.[^1] It is `{{python}} 6 * 7`, and $x_1 * y$.

```python
{COUNTED}
import rnnnotes as rn
rn.cite("A1", because="*it* is there")
```

!!! note "A callout"

    ```python
    #| caption: A caption
    #| description: A description.
    import matplotlib.pyplot as plt
    plt.plot([1, 2]);
    ```

=== "One"

    ```python
    print("<b>in a tab</b>")
    ```

=== "Two"

    ```python .noeval
    --8<-- "snippets/real.py:part"
    ```

[^1]: A footnote with a [link](../reference/statements.md#row-A1).
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Project:
    """A site that is built, and the tree that is woven from what the build kept."""
    project = Project.create(tmp_path_factory.mktemp("woven") / "project")
    project.page("part/page", PAGE, head="title: The page\ntags: [gradients]\n")
    project.write("docs/reference/statements.md", "# All\n\n<!-- rnnnotes: statements -->\n")
    project.write("docs/reference/colophon.md", "# From\n\n<!-- rnnnotes: colophon -->\n")
    project.write("docs/assets/extra.css", "a { color: inherit }\n")
    project.write("docs/.theme/partials/extra.html", "")
    project.write("snippets/real.py", "# --8<-- [start:part]\nx = 1\n# --8<-- [end:part]\n")
    project.statements({"id": "A1", "page": "part/page"})
    config = yaml.safe_load((project.root / "mkdocs.yml").read_text())
    config["theme"]["custom_dir"] = "docs/.theme"
    project.write("mkdocs.yml", yaml.safe_dump(config | {"extra_css": ["assets/extra.css"]}))
    project.built()
    count = project.counted()
    woven = project.weave("out")
    assert woven.code == 0 and "4 pages woven into out" in woven.text, woven.text
    assert project.counted() == count and project.status() == {"part/page": "kept"}
    return project


@pytest.fixture
def project(original, tmp_path) -> Project:
    return original.copy(tmp_path / "project")


def drawn(file) -> list:
    """What a page's HTML says: its elements and its words, in order.

    The site itself leaves out what nobody sees: spaces, and spans of code in one colour.
    """
    page = BeautifulSoup(file.read_text("utf-8"), "lxml")
    for code in page.select("pre code"):
        code.string = code.get_text()
    found = []
    for element in page.descendants:
        if isinstance(element, Tag):
            found.append((element.name, sorted(element.attrs.items())))
        elif not isinstance(element, Comment) and element.strip():
            words = str(element) if element.find_parent("pre") else " ".join(element.split())
            found.append(words)
    return found


def test_plain_mkdocs_builds_the_same_pages_from_the_tree(project):
    out = Project(project.root / "out")
    plugins = yaml.safe_load((out.root / "mkdocs.yml").read_text())["plugins"]
    assert plugins == ["search", "tags"]
    build = out.build(SOURCE_DATE_EPOCH="315532800")  # that of a project without commits
    assert build.code == 0 and build.warnings == [], build.text
    ours, plain = tree(project.site), tree(out.site)
    assert plain.keys() == ours.keys()
    different = {path for path in ours if ours[path] != plain[path]}
    assert all(path.endswith(".html") for path in different), different
    for path in different:
        assert drawn(out.site / path) == drawn(project.site / path), path
    assert not (out.root / "build").exists() and not (out.root / ".cache").exists()


def test_the_tree_is_plain_markdown_and_files(project):
    docs = project.root / "out/docs"
    text = (docs / "part/page.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front == {"title": "The page", "tags": ["gradients"]}
    for ours in ("{python}", "#|", "--8<--", "noeval", "jupyter"):
        assert ours not in text
    for path in ("part/page.ipynb", "part/page.py", "assets/extra.css"):
        assert (docs / path).is_file(), path
    assert "<!-- rnnnotes" not in (docs / "reference/statements.md").read_text()


def test_the_tree_is_written_anew_whole(project):
    before = tree(project.root / "out")
    (project.root / "out/docs/old.md").write_text("# Old\n")
    assert project.weave("out").code == 0
    assert tree(project.root / "out") == before


def test_a_folder_of_somebody_else_is_left_alone(project):
    project.write("mine/mkdocs.yml", "site_name: mine\n")
    project.write("notes/diary.txt", "dear\n")
    for folder in ("mine", "notes", "docs", "."):
        before = tree(project.root)
        build = project.weave(folder)
        assert build.code == 1, folder
        assert build.text.startswith("rnnnotes-weave: ") and build.text.count("\n") == 1
        assert "did not write: remove it first" in build.text
        assert tree(project.root) == before


def test_a_failing_page_leaves_the_tree_as_it_was(project):
    before = tree(project.root / "out")
    project.replace("docs/part/page.md", "6 * 7`", "6 * seven`")
    build = project.weave("out")
    line = project.line("docs/part/page.md", "seven")
    assert build.code == 1
    assert f"docs/part/page.md:{line}: NameError: name 'seven' is not defined" in build.text
    assert machinery(build.text) == []
    assert tree(project.root / "out") == before

    project.replace("docs/part/page.md", "6 * seven`", "6 * 7`")
    project.replace("docs/part/page.md", "#| caption: A caption", "#| label: fig-a")
    build = project.weave("out")
    line = project.line("docs/part/page.md", "#| label")
    assert f"docs/part/page.md:{line}: figure 1 of this block has no caption" in build.text
    assert build.code == 1 and machinery(build.text) == []
    assert tree(project.root / "out") == before
    project.assert_nothing_left()
    assert [path.name for path in project.root.glob(".out.*")] == []


def test_no_configuration(tmp_path):
    project = Project(tmp_path)
    build = project.weave("out")
    assert build.code == 1
    assert build.text.startswith("rnnnotes-weave: expected a readable mkdocs.yml")
    assert build.text.count("\n") == 1 and not (tmp_path / "out").exists()


def test_zensical_builds_the_tree(project):
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("Zensical is not installed: it is no dependency, and is tried where it is")
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build"],
        cwd=project.root / "out",
        env=project.environment(),
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    page = (project.root / "out/site/part/page/index.html").read_text()
    for words in ("It is 42", 'id="A1"', "A caption", "in a tab", "admonition note", "tabbed-set"):
        assert words in page
