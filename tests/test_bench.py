"""The bench itself: its corpus in every form, what it takes for an executed page, its record."""

import ast
import json
import sys

import pytest
import yaml

from rnnnotes.site.blocks import parse_page
from site_project import REPOSITORY

sys.path.append(str(REPOSITORY / "tests" / "bench"))

import growth
import measure
import peers
import record
import translate


@pytest.fixture(scope="module")
def pages():
    return peers.corpus()


def test_the_corpus_is_six_pages_that_each_draw_and_print(pages):
    assert len(pages) == 6
    for page in pages.values():
        assert page.is_notebook and 4 <= len(page.blocks) <= 8, page.path
        assert 1 <= sum(map(translate.draws, page.blocks)) <= 2, page.path
        assert "print(" in page.text, page.path


def test_every_form_has_all_prose_and_all_code_in_order(pages):
    for form in (translate.markdown_exec, translate.myst, translate.gallery):
        for page in pages.values():
            text = form(page).replace("\n# ", "\n") if form is translate.gallery else form(page)
            at = 0
            for part in page.parts:
                code = part in page.blocks
                for line in (part.shown if code else part.text).split("\n"):
                    words = line.lstrip("#").strip() if not code else line
                    found = text.find(words, at)
                    assert found >= 0, (form.__name__, page.path, line)
                    at = found + len(words)


def test_a_script_of_the_gallery_is_python_with_a_title(pages):
    for page in pages.values():
        docstring = ast.get_docstring(ast.parse(translate.gallery(page)))
        title, line, *_ = docstring.split("\n")
        assert title == page.meta["title"] and line == "=" * len(title)


@pytest.fixture
def bed(tmp_path, pages):
    """A tool that was asked for nothing but the two pages that a test writes."""
    tool = next(tool for tool in peers.PEERS if tool.name == "mkdocs-jupyter")
    found = peers.Bed(tool, tmp_path)
    found.lay({"gates": pages["gates"]})
    file = tmp_path / "site/gates/index.html"
    file.parent.mkdir(parents=True)
    file.write_text('<p>bias 0:\n <b>so</b> it is</p><img alt="" src="data:image/png;base64,AA">')
    return found


def test_a_page_that_was_not_run_makes_its_time_void(bed, pages):
    page = {"gates": pages["gates"]}
    bed.check(page, {"gates": ["bias 0: so it is"]})
    with pytest.raises(SystemExit, match=r"mkdocs-jupyter, page gates: a block was not.*bias 1"):
        bed.check(page, {"gates": ["bias 0: so it is", "bias 1: gone"]})


def test_a_page_without_its_figure_makes_its_time_void(bed, pages):
    file = bed.root / "site/gates/index.html"
    file.write_text(file.read_text().replace("data:image/png", "fig.png"))
    with pytest.raises(SystemExit, match="expected 1 figures, got 0"):
        bed.check({"gates": pages["gates"]}, {"gates": []})


def test_code_that_holds_the_words_is_no_output(bed, pages):
    file = bed.root / "site/gates/index.html"
    file.write_text(f"<script>bias 1: gone</script>{file.read_text()}")
    with pytest.raises(SystemExit, match="bias 1"):
        bed.check({"gates": pages["gates"]}, {"gates": ["bias 1: gone"]})


def test_an_edit_is_an_edit_of_that_page_alone(bed, pages):
    before = (bed.root / "docs/gates.md").stat().st_mtime_ns
    bed.lay({"gates": pages["gates"]})
    assert (bed.root / "docs/gates.md").stat().st_mtime_ns == before
    page = peers.edited(pages["gates"], prose="More words.", code="print(1)")
    assert page.text.endswith("\nMore words.\n")
    assert page.blocks[-1].source == pages["gates"].blocks[-1].source + "\nprint(1)"
    assert [b.source for b in page.blocks[:-1]] == [b.source for b in pages["gates"].blocks[:-1]]


def test_a_tool_that_does_not_run_is_told_and_not_dropped(tmp_path, pages):
    tool = peers.Tool("none", translate.notebook, "{}.md", "{}.html", {}, ("false",), "x")
    with pytest.raises(peers.Void, match="none: it ended without a word"):
        peers.Bed(tool, tmp_path).build()


def test_a_cold_build_finds_nothing_that_a_tool_kept(tmp_path):
    tool = peers.Tool("none", translate.notebook, "{}.md", "{}.html", {"a/b": "c"}, (), "x")
    (tmp_path / "before").write_text("laid by the project")
    bed = peers.Bed(tool, tmp_path)
    for kept in ("src/.kept/one", "a/more", ".kept/deep/two"):
        (tmp_path / kept).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / kept).write_text("kept")
    bed.forget()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"a", "a/b", "before", "src", f"src/{peers.MODULE.name}"}


def test_no_two_light_pages_share_their_code_or_their_text(pages):
    made = [
        parse_page(growth.light(page, n), "docs/x.md", "x")
        for n, page in [*enumerate(pages.values()), *enumerate(pages.values(), 6)]
    ]
    assert len({page.text for page in made}) == len(made)
    assert len({tuple(b.source for b in page.blocks) for page in made}) == len(made)
    for page in made:
        space = {"plt": None, "__name__": "x"}
        for block in page.blocks:
            compile(block.source, "x", "exec")
            if "plt" not in block.source:
                exec(block.source, space)


def test_a_part_measured_again_leaves_the_other_parts(tmp_path):
    file = tmp_path / "speed.json"
    one = measure.Row("one", [1.0, 3.0, 2.0], 1.5, "s", subject=("a", 5))
    other = measure.Row("other", [], None, note="cannot be run here")
    record.keep("weight", [one], 60, 0.1, file=file)
    record.keep("peers", [other], 6, 0.1, {"x (of the others)": "1"}, file=file)
    record.keep("weight", [one], 66, 0.1, file=file)
    parts = json.loads(file.read_text())["parts"]
    assert parts["weight"]["minutes"] == 1.1 and parts["weight"]["rows"][0]["holds"] is False
    assert parts["peers"]["versions"]["x (of the others)"] == "1"
    rows = record.rows(record.read(file), ["weight", "peers"])
    assert [row.cells() for row in rows] == [
        ("one", "2 s (1 to 3)", "1.50 s", "3", "NO"),
        ("other", "cannot be run here", "", "0", ""),
    ]


def test_what_the_page_on_speed_reads_is_a_record_of_every_part():
    import run

    parts = record.read()
    assert list(parts) == sorted(run.PARTS)
    told = {row["subject"][0] for row in parts["peers"]["rows"] if len(row["subject"]) > 1}
    void = {row["quantity"].split(" on ")[0] for row in parts["peers"]["rows"] if row["note"]}
    assert {tool.name for tool in peers.PEERS} <= told | void
    pins = (REPOSITORY / "tests/bench/peers.txt").read_text("utf-8").split()
    for name, version in parts["peers"]["versions"].items():
        if name.endswith("(of the others)"):
            assert f"{name.partition(' ')[0]}=={version}" in pins


def test_the_settings_of_the_other_tools_are_readable():
    for tool in peers.PEERS:
        for path, text in tool.fixed.items():
            if path.endswith(".yml"):
                assert yaml.safe_load(text)["strict"] is True
            elif path.endswith(".py"):
                compile(text, path, "exec")
