"""The API on the site: every public name on one page, under the name that readers import it by."""

import inspect
import re
import textwrap

import griffe
import pytest
import yaml

from public_names import STUBS, public_names, stubbed
from rnnnotes.site.reference import PublicNames
from site_project import REPOSITORY, Project, tree

PAGES = REPOSITORY / "docs/reference/api"
PUBLIC = [f"rn.{name}" for name, thing in public_names().items() if not inspect.ismodule(thing)]
CALLABLE = {name: thing for name, thing in public_names().items() if callable(thing)}
# Members that readers call, here of the class that they find them under.
CALLED = ["rn.GradientMonitor.diagnosis", "rn.Cell.step", "rn.tasks.Task.sample"]
DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)


def listed() -> dict[str, list[str]]:
    """The names that each page asks mkdocstrings for."""
    return {page.stem: DIRECTIVE.findall(page.read_text("utf-8")) for page in PAGES.glob("*.md")}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Project:
    """A site of these pages alone, by the plugins of ours but for the one that runs blocks."""
    project = Project.create(tmp_path_factory.mktemp("api") / "project")
    plugins = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))["plugins"]
    (ours,) = [plugin for plugin in plugins if "mkdocstrings" in plugin]
    ours["mkdocstrings"]["handlers"]["python"]["paths"] = [str(REPOSITORY / "src")]
    project.configure(plugins=[ours])
    for page in PAGES.glob("*.md"):
        if page.stem != "index":
            text = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", page.read_text("utf-8"))
            project.write(f"docs/{page.name}", text)
    build = project.build("--strict", "--quiet")
    assert (build.code, build.text) == (0, "")
    return project


@pytest.fixture(scope="module")
def html(built) -> dict[str, str]:
    return {page: built.html(page) for page in listed() if page != "index"}


def test_every_public_name_is_asked_for_once():
    found = [name for names in listed().values() for name in names]
    assert sorted(found) == sorted(f"rnnnotes{name.removeprefix('rn')}" for name in PUBLIC)


def test_every_public_name_has_its_place_on_one_page(html):
    for name in [*PUBLIC, *CALLED]:
        at = [page for page, text in html.items() if f'id="{name}"' in text]
        assert len(at) == 1, (name, at)
    for page, names in listed().items():
        for name in names:
            short = name.replace("rnnnotes", "rn", 1)
            heading = re.search(rf'<h3 id="{re.escape(short)}".*?</h3>', html[page], re.DOTALL)
            assert re.sub("<.+?>|\\s|&para;", "", heading[0]) == short


def test_no_private_path_and_no_role_is_left(html):
    modules = {module for package in STUBS.values() for module in stubbed(package).values()}
    modules -= {"rnnnotes", *STUBS.values()}
    for page, text in html.items():
        assert not re.search(r":(?:class|func|meth|data|mod):", text), page
        ids = re.findall(r'id="([^"]*\.[^"]*)"', text)
        assert ids and all(found.startswith("rn.") for found in ids), page
        assert not [module for module in modules if f"{module}." in text], page


def test_roles_types_and_bases_are_links(html):
    cells, layers = html["cells"], html["layers"]
    assert 'href="../spectra-and-initialisation/#rn.forget_bias_"' in cells  # a role
    assert 'href="#rn.Cell.project_input"' in cells  # a role of a method
    assert 'href="../cells/#rn.Cell"' in layers  # an annotation
    assert re.search(r'Bases: <code><a [^>]*href="#rn.Cell"', cells)


def test_all_parts_of_a_docstring_are_there(html):
    start = html["convolutions-and-reservoirs"].index('id="rn.EchoStateNetwork.fit"')
    fit = html["convolutions-and-reservoirs"][start:].split("<h4", 1)[0]
    for part in ("Arguments:", "Returns:", "Raises:", "ValueError", "washout", "(B, T, C)"):
        assert part in fit, part
    gru = html["cells"].split('id="rn.GRUCell"')[1].split("<h4")[0]
    assert "Examples:" in gru and "&gt;&gt;&gt; " in gru
    assert '<p class="rn-source">Source: Cho et al.' in gru
    assert "reset" in gru and "default" in gru


def test_a_colon_in_what_is_returned_makes_no_type(html):
    text = html["gradient-flow-and-cost"].split('id="rn.state_gradients"')[1].split("<h3")[0]
    assert re.search(r"<p>One tensor \(T, B, H\) for each part of the state: \(dL/dh,\)", text)


@pytest.mark.parametrize("name", CALLABLE)
def test_only_arguments_that_there_are_are_told_of(name):
    thing = CALLABLE[name]
    members = vars(thing).values() if inspect.isclass(thing) else ()
    for part in (thing, *filter(inspect.isfunction, members)):
        for section in griffe.Docstring(inspect.getdoc(part) or "").parse("google", warnings=False):
            if section.kind is griffe.DocstringSectionKind.parameters:
                told = {name for entry in section.value for name in entry.name.split(", ")}
                assert told <= set(inspect.signature(part).parameters), part


def test_equal_builds_give_equal_bytes(built, tmp_path):
    again = built.build("--strict", "--quiet", "--site-dir", str(tmp_path / "again"))
    assert again.code == 0, again.text
    assert tree(tmp_path / "again") == tree(built.site)


def test_roles_and_sources_in_a_package_of_its_own(tmp_path):
    files = {
        "__init__.py": "",
        "__init__.pyi": """\
            from . import plot as plot
            from . import tasks as tasks
            from .deep.file import Thing as Thing
            """,
        "deep/__init__.py": "",
        "deep/file.py": '''\
            class Thing:
                """A :class:`Thing` that can :meth:`act`, :meth:`rest` and :func:`copy`.

                Source: Somebody, 1999, and
                others.
                """

                def act(self) -> None:
                    """Not as :func:`_hidden`."""
            ''',
        "tasks/__init__.py": "",
        "tasks/__init__.pyi": "from .copy import copy as copy",
        "tasks/copy.py": 'def copy() -> None:\n    """Has the name of its file."""\n',
        "plot/__init__.py": "",
        "plot/__init__.pyi": "",
    }
    for name, text in files.items():
        file = tmp_path / "rnnnotes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), "utf-8")
    extensions = griffe.load_extensions(PublicNames)
    package = griffe.load("rnnnotes", search_paths=[str(tmp_path)], extensions=extensions)
    thing = package["Thing"]
    assert thing.path == "rn.Thing" and package["tasks.copy"].path == "rn.tasks.copy"
    assert package["tasks.copy"].is_function
    assert thing.docstring.value == (
        "A [`rn.Thing`][rn.Thing] that can [`act`][rn.Thing.act], `rest` and "
        "[`rn.tasks.copy`][rn.tasks.copy].\n\nSource: Somebody, 1999, and\nothers.\n{: .rn-source}"
    )
    assert thing["act"].docstring.value == "Not as `_hidden`."
