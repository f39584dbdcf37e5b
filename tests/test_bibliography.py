"""The bibliography: what is wrong in the file or on a page is told with its line; the lines."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from rnnnotes.site import bibliography, statements
from rnnnotes.site.blocks import parse_page, read_page
from rnnnotes.site.errors import LoomError, PageError, PageErrors
from rnnnotes.site.loom import Loom, Settings
from woven_page import REPOSITORY

BIB = "docs/references.bib"
GOOD = """\
% A comment.
@article{bengio1994,
  author = {Bengio, Yoshua and Simard, Patrice and Frasconi, Paolo},
  title = {Learning {Long}-term
    dependencies}, journal = {IEEE}, volume = {5}, year = {1994}, doi = {10.1109/72.279181},
  topic = {gradients}, gist = {a bit, or its gradient}, outcome = {in part},
  found = {it came out for one_unit}, where = {part/one#here}, statement = {A1, B2},
  read = {the abstract}
}

@misc{gru, author = {Cho, Kyunghyun and van Merriënboer, Bart and Gulcehre, Caglar and Others, Z.},
  title = {The GRU}, year = {2014}, eprint = {1406.1078}, archiveprefix = {arXiv},
  topic = {gates}, gist = {the GRU}, outcome = {not tried}}

@misc{jordan, author = {Jordan, Michael I.}, title = {Serial order}, year = {1986},
  topic = {gradients}, gist = {a loop}, outcome = {no result}, where = {part/two}}

@misc{post, title = {A post}, url = {https://example.org/a_post/}, topic = {notes}, notes = {A},
  gist = {a post}, outcome = {no result}, where = {part/one}, read = {could not be read here}}

@manual{torch, title = {A manual}, url = {https://example.org/man.html}, topic = {manuals},
  gist = {an option}}
"""
PAGES = {
    "part/one": """\
        # One

        ## Here

        See [Bengio](https://doi.org/10.1109/72.279181), *Serial
        order* and [a manual](https://www.example.org/man.html#option).
        """,
    "part/two": """\
        # Two

        The [GRU](https://arxiv.org/pdf/1406.1078v3), [again](https://doi.org/10.48550/arXiv.1406.1078).
        """,
    "list": "# The list\n\n<!-- rnnnotes: bibliography -->\n",
}
STATEMENTS = {name: statements.Statement(name, "claim", "p", "s", "t") for name in ("A1", "B2")}


def pages(**more: str):
    texts = PAGES | {name.replace("__", "/"): text for name, text in more.items()}
    return {name: parse_page(dedent(t), f"docs/{name}.md", name) for name, t in texts.items()}


def sources(text: str = GOOD) -> list[bibliography.Source]:
    return [
        bibliography.Source(row["key"], row["line"], tuple(row["authors"]), row["fields"])
        for row in bibliography.parse(text, BIB)
    ]


def check(text: str = GOOD, **more: str) -> dict[str, list[str]]:
    return bibliography.check(sources(text), pages(**more), STATEMENTS, BIB)


def line(needle: str, text: str = GOOD) -> int:
    return next(n for n, row in enumerate(text.splitlines(), 1) if needle in row)


# ---- who cites what ------------------------------------------------------------------------------


def test_the_pages_that_cite_a_source_by_link_or_by_title():
    assert check() == {
        "bengio1994": ["part/one"],
        "gru": ["part/two"],
        "jordan": ["part/one"],
        "post": [],
        "torch": ["part/one"],
    }


def test_a_source_is_named_in_words_of_its_own():
    text = GOOD.replace("title = {Serial order}", "title = {Other}, named = {the order of things}")
    cited = check(text, part__three="# Three\n\nSay The Order\nof things.\n")
    assert cited["jordan"] == ["part/three"]


def test_the_list_itself_cites_nothing():
    text = PAGES["list"] + "\n*Serial order*, <https://arxiv.org/abs/1406.1078>\n"
    cited = check(list=text)
    assert "list" not in cited["jordan"] + cited["gru"]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://doi.org/10.1109/72.279181", "doi:10.1109/72.279181"),
        ("http://dx.doi.org/10.1103/PhysRevLett.61.259", "doi:10.1103/physrevlett.61.259"),
        ("https://arxiv.org/abs/1211.5063", "arxiv:1211.5063"),
        ("https://arxiv.org/pdf/1211.5063v2.pdf", "arxiv:1211.5063"),
        ("https://www.arxiv.org/html/1211.5063v1", "arxiv:1211.5063"),
        ("https://arxiv.org/abs/cs/0102030", "arxiv:cs/0102030"),
        ("https://doi.org/10.48550/arXiv.1211.5063", "arxiv:1211.5063"),
        ("http://www.example.org/a/#part", "example.org/a"),
        ("https://example.org/a.", "example.org/a"),
    ],
)
def test_links_to_one_source_come_down_to_one(url, same):
    assert bibliography.link_id(url) == same


# ---- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("  read = {the abstract}\n}", "  read = {the abstract}\n", "@misc{gru", "not BibTeX"),
        ("year = {1986},", "year = {1986}", "topic = {gradients}, gist = {a loop}", "not BibTeX"),
        ("@misc{jordan,", "@misc{gru,", "@misc{gru, author = {Jordan", "repeated .*entry: gru"),
        ("@misc{jordan,", "@misc{GRU,", "@misc{GRU,", "repeated bibliography entry: GRU"),
        ("year = {1986},", "year = {1986}, year = {1987},", "@misc{jordan", "a duplicate year"),
    ],
)
def test_what_bibtex_cannot_read_is_told_with_the_file_and_the_line(old, new, where, message):
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(PageError, match=message) as caught:
        bibliography.parse(text, BIB)
    assert (caught.value.path, caught.value.line) == (BIB, line(where, text))


@pytest.mark.parametrize("text", ["", "just words", "% a comment\n", "@comment{x}"])
def test_a_file_without_an_entry(text):
    with pytest.raises(PageError, match=f"^{BIB}:1: expected BibTeX entries, got none"):
        bibliography.parse(text, BIB)


@pytest.mark.parametrize(
    ("key", "old", "new", "message"),
    [
        ("gru", "title = {The GRU},", "", "missing field 'title'"),
        ("gru", "year = {2014},", "", "missing field 'year'"),
        ("gru", "topic = {gates},", "", "missing field 'topic'"),
        ("gru", "gist = {the GRU},", "", "missing field 'gist'"),
        ("gru", ", outcome = {not tried}", "", "missing field 'outcome'"),
        ("jordan", "author = {Jordan, Michael I.},", "", "missing field 'author'"),
        ("jordan", ", where = {part/two}", "", "missing field 'where'"),
        ("bengio1994", "where = {part/one#here},", "", "missing field 'where'"),
        ("bengio1994", "found = {it came out for one_unit},", "", "missing field 'found'"),
        ("gru", "outcome = {not tried}", "outcome = {tried}", "outcome: expected one of repro"),
        ("gru", "topic = {gates}", "topic = {gate}", "topic: expected one of gradients, training"),
        ("gru", "gist =", "jist =", "unknown field 'jist'"),
        ("bengio1994", "part/one#here", "part/won#here", "there is no page 'part/won'"),
        ("bengio1994", "{A1, B2}", "{A1, B9}", "no statement has the id 'B9'"),
        ("post", "notes = {A}", "notes = {F}", "expected letters of A, B, C, D, E, got 'F'"),
        ("post", "notes = {A},", "", "no page cites it, and no note links to it"),
        ("jordan", "{Serial order}", "{Serial orders}", "no page cites it, and no note links"),
        (
            "jordan",
            "year = {1986},",
            "year = {1986}, doi = {10.1109/72.279181},",
            "doi:10.1109/72.279181 is also that of bengio1994",
        ),
        (
            "jordan",
            "year = {1986},",
            "year = {1986}, eprint = {1406.1078},",
            "arxiv:1406.1078 is also that of gru",
        ),
    ],
)
def test_a_fault_of_an_entry_names_its_line_and_its_key(key, old, new, message):
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(LoomError) as caught:
        check(text)
    place = f"{BIB}:{line(f'{{{key},', text)}: {key}: "
    told = [row for row in str(caught.value).split("\n\n") if row.startswith(place)]
    assert any(message in row for row in told), str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://doi.org/10.1/other",
        "https://arxiv.org/abs/2401.00001",
        "https://proceedings.mlr.press/v37/other15.html",
        "https://aclanthology.org/W16-0000",
        "https://jmlr.org/papers/v3/other.html",
    ],
)
def test_a_link_to_a_paper_that_is_not_in_the_file_names_the_page_and_the_line(url):
    with pytest.raises(PageError, match=re.escape(f"{url} is no source in {BIB}")) as caught:
        check(part__three=f"# Three\n\nOne\n[paper]({url}): new.\n")
    assert (caught.value.path, caught.value.line) == ("docs/part/three.md", 4)


def test_a_link_to_something_else_need_not_be_in_the_file():
    check(part__three="# Three\n\n[x](https://example.org/new) <https://jmlr.org/about>\n")


def test_every_fault_is_told():
    with pytest.raises(PageErrors) as caught:
        check(
            GOOD.replace("year = {2014},", "").replace("notes = {A},", ""),
            part__three="# Three\n\n<https://arxiv.org/abs/2401.00001>\n",
        )
    assert len(caught.value.errors) == 3


# ---- the lines -----------------------------------------------------------------------------------


@pytest.fixture
def lines() -> str:
    verdicts = {"A1": ("part/one", "holds"), "B2": ("part/two", "fails")}
    titles = {name: name.upper() for name in PAGES}
    return bibliography.Shown(sources(), check(), titles, verdicts, "../").markdown()


def entry(lines: str, key: str) -> str:
    (found,) = [row for row in lines.splitlines() if f'id="{key}"' in row]
    return found


def test_an_entry_has_all_that_a_reader_needs(lines):
    assert entry(lines, "bengio1994") == (
        '- <span id="bengio1994"></span>Bengio, Simard and Frasconi 1994, '
        "*[Learning Long-term dependencies](https://doi.org/10.1109/72.279181)*, IEEE 5. "
        "A bit, or its gradient. "
        "[in part](../part/one.md#here){ .rn-word .rn-in-part }: it came out for one&#95;unit "
        "([A1](../part/one.md#A1) holds, [B2](../part/two.md#B2) fails). "
        "Read: the abstract. Cited in [PART/ONE](../part/one.md)."
    )


def test_entries_without_this_or_that(lines):
    assert "Cho et al. 2014, *[The GRU](https://arxiv.org/abs/1406.1078)*" in entry(lines, "gru")
    assert '<span class="rn-word rn-not-tried">not tried</span>.' in entry(lines, "gru")
    assert "*Serial order*. A loop." in entry(lines, "jordan")
    assert "rn-word" not in entry(lines, "torch")
    assert "Cited in" not in entry(lines, "post")


def test_every_source_stands_once_and_the_words_are_counted(lines):
    keys = re.findall(r'id="(\w+)"', lines)
    assert sorted(keys) == sorted(source.key for source in sources())
    counts = dict(re.findall(r">([\w ]+)</span> \| (\d+) \|", lines))
    assert counts == {
        "reproduced": "0",
        "in part": "1",
        "not reproduced": "0",
        "not tried": "1",
        "no result": "1",
    }
    assert lines.index("## Papers") < lines.index("## What the notes") < lines.index("## Threads")


def test_a_paper_that_a_note_links_to_is_pointed_at_there():
    text = GOOD.replace("topic = {gates},", "topic = {gates}, notes = {E},")
    shown = bibliography.Shown(sources(text), check(text), dict.fromkeys(PAGES, "t"), {}, "")
    notes = shown.markdown().partition("## What the notes link to")[2]
    assert "**Note E, article**\n\n- Cho et al. 2014, [*The GRU*](#gru): above." in notes


# ---- in a build ----------------------------------------------------------------------------------


def loom(root: Path, files: dict[str, str]) -> Loom:
    for name, text in files.items():
        file = root / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), "utf-8")
    made = Loom(
        Settings(root, root / "docs", root / "cache", root / "report.json"), lambda text: None
    )
    made.prepare(sorted((root / "docs").rglob("*.md")))
    return made


NO_VERDICTS = GOOD.replace("statement = {A1, B2},", "")


def test_a_site_with_a_bibliography(tmp_path):
    files = {f"{name}.md": text for name, text in PAGES.items()}
    woven = loom(tmp_path, files | {"references.bib": NO_VERDICTS}).woven["list"].markdown
    assert '<span id="gru"></span>' in woven and "(part/two.md)" in woven


def test_a_site_without_the_file_links_to_what_it_likes(tmp_path):
    page = "# P\n\n<https://arxiv.org/abs/2401.00001>\n"
    assert loom(tmp_path, {"p.md": page}).woven["p"].markdown.strip() == page.strip()


def test_a_list_without_the_file_is_a_fault(tmp_path):
    with pytest.raises(PageError, match=r"^docs/list.md:3: .*docs/references.bib"):
        _ = loom(tmp_path, {"list.md": PAGES["list"]}).woven


def test_a_bad_file_stops_the_build_before_anything_runs(tmp_path):
    files = {f"{name}.md": text for name, text in PAGES.items()}
    bad = NO_VERDICTS.replace("gist = {a loop},", "")
    with pytest.raises(PageError, match=rf"^{BIB}:\d+: jordan: missing field 'gist'"):
        loom(tmp_path, files | {"references.bib": bad})


def test_the_file_is_parsed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    files = {f"{name}.md": text for name, text in PAGES.items()} | {"references.bib": NO_VERDICTS}
    loom(tmp_path, files)
    calls, parse = [], bibliography.parse
    monkeypatch.setattr(bibliography, "parse", lambda *a: calls.append(a) or parse(*a))
    loom(tmp_path, files)
    assert calls == []
    changed = NO_VERDICTS.replace("{a loop}", "{a better loop}")
    found = loom(tmp_path, files | {"references.bib": changed}).woven["list"].markdown
    assert len(calls) == 1 and "A better loop." in found


# ---- the project's own ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own():
    docs = REPOSITORY / "docs"
    found = [read_page(file, docs, REPOSITORY) for file in sorted(docs.rglob("*.md"))]
    path, listed = bibliography.read(docs / "references.bib", REPOSITORY, lambda _, make: make())
    return path, listed, {page.name: page for page in found}


def test_the_file_of_the_project_is_whole_and_every_link_of_its_pages_is_in_it(own):
    path, listed, found = own
    known = statements.read_statements(REPOSITORY / "docs/statements.yml")
    cited = bibliography.check(listed, found, known, path)
    assert len(listed) > 100 and set(cited) == {source.key for source in listed}


def test_the_places_of_the_project_are_there(own):
    """MkDocs checks the anchors too; here each is told with its key."""
    _, listed, found = own
    known = statements.read_statements(REPOSITORY / "docs/statements.yml")
    missing = []
    for source in listed:
        name, _, anchor = source["where"].partition("#")
        if not anchor:
            continue
        heads = re.findall(r"^#+ (.+)$", found[name].text, re.MULTILINE)
        slugs = {re.sub(r"[^\w\s-]", "", head).strip().lower().replace(" ", "-") for head in heads}
        home = known[anchor].page if anchor in known else None
        if home != name and anchor not in slugs:
            missing.append((source.key, source["where"]))
    assert missing == []


def test_what_the_notes_link_to_is_all_there(own):
    """The seventeen links of the five notes, and the three that lead to Semantic Scholar."""
    _, listed, _ = own
    count = {note: sum(note in s.list("notes") for s in listed) for note in statements.NOTES}
    assert count == {"A": 5, "B": 2, "C": 3, "D": 5, "E": 5}
    unread = [s.key for s in listed if s["topic"] == "notes" and not s["read"]]
    assert unread == ["olah2015", "yan2016", "karpathy2015"]  # those that pages quote
