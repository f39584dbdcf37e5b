"""The glossary: faults of its file, its page, and the links that other pages get."""

import re
from dataclasses import replace

import pytest
import yaml

from rnnnotes.site import downloads
from rnnnotes.site.blocks import Prose, read_page
from rnnnotes.site.errors import LoomError
from rnnnotes.site.glossary import (
    HOME,
    MOST,
    Explainer,
    Term,
    by_sound,
    listing,
    read_glossary,
    slug,
)
from rnnnotes.site.weave import Weaver
from woven_page import REPOSITORY, page, render, stream, text_of, weave

DOCS = REPOSITORY / "docs"
PAGES = {"part/one", "part/page", HOME}
ROW = {"term": "forget gate", "zh": "遗忘门", "says": "It keeps.", "page": "part/one#gate"}
GATE = Term("forget gate", "遗忘门", "It keeps.", "part/one")
LAG = Term("lag", "滞后", "Steps before the end.", "part/one", also=("time lag", "时滞"))
NORM = Term("gradient norm", "梯度范数", "Its length.", "part/one", also=("GN",))


@pytest.fixture(scope="module")
def pages():
    """Every page of the project."""
    files = sorted(DOCS.rglob("*.md"))
    return {p.name: p for p in (read_page(file, DOCS, REPOSITORY) for file in files)}


@pytest.fixture(scope="module")
def terms(pages):
    """The project's own glossary."""
    return read_glossary(DOCS / "glossary.yml", pages)


# ---- the file ---------------------------------------------------------------------------------


def written(tmp_path, text):
    file = tmp_path / "glossary.yml"
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text, allow_unicode=True))
    return file


def test_a_list_is_read_in_the_order_of_its_terms(tmp_path):
    other = {**ROW, "term": "Elman", "zh": "埃尔曼", "also": ["plain RNN", "简单"], "link": False}
    found = read_glossary(written(tmp_path, [ROW, other]), PAGES)
    assert [(term.term, term.slug, term.home, term.link) for term in found] == [
        ("Elman", "elman", "part/one", False),
        ("forget gate", "forget-gate", "part/one", True),
    ]
    assert found[0].english == ["Elman", "plain RNN"] and found[0].chinese == ["埃尔曼", "简单"]


def test_a_site_without_a_list_has_no_glossary_and_needs_no_page_for_it(tmp_path):
    assert read_glossary(tmp_path / "glossary.yml", {"index"}) == []
    with pytest.raises(LoomError, match=f"expected a page {HOME}.md that shows it"):
        read_glossary(written(tmp_path, [ROW]), {"part/one"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "sais": "x"}, "expected keys of term, zh, says, page, also, link, got 'sais'"),
        ({key: ROW[key] for key in ("term", "zh", "page")}, "has no says"),
        ({key: ROW[key] for key in ("zh", "says", "page")}, "has no term"),
        ("just words", "the term 'just words': expected term, zh, says"),
        ({**ROW, "also": "one"}, "expected also: [a, list], got 'one'"),
        ({**ROW, "also": [1]}, "expected text without double quotes, got 1"),
        ({**ROW, "link": "no"}, "expected link: true or false, got 'no'"),
        ({**ROW, "says": ""}, "expected text without double quotes, got ''"),
        ({**ROW, "says": 'It "keeps".'}, "expected text without double quotes"),
        ({**ROW, "says": "It costs $5."}, "expected plain words without marks of Markdown"),
        ({**ROW, "says": "It *keeps*."}, "expected plain words without marks of Markdown"),
        ({**ROW, "also": ["[x](y)"]}, "expected plain words without marks of Markdown"),
        ({**ROW, "zh": "forget gate"}, "expected Chinese as zh, got 'forget gate'"),
        ({**ROW, "says": "x" * 141}, "expected at most 140 characters, got 141"),
        ({**ROW, "page": "part/two#gate"}, "expected the name of a page, got 'part/two#gate'"),
        ({**ROW, "page": "part/one.md"}, "expected the name of a page, got 'part/one.md'"),
        ({**ROW, "term": "Fine gate"}, "'遗忘门' stands there already, as '遗忘门'"),
        ({**ROW, "zh": "门"}, "'forget gate' stands there already, as 'forget gate'"),
        ({**ROW, "term": "Forget-gate", "zh": "门"}, "stands there already, as 'forget gate'"),
        (
            {**ROW, "term": "valve", "zh": "门", "also": ["Forget gate"]},
            "the term 'valve': 'Forget gate' stands there already, as 'forget gate'",
        ),
        ({**ROW, "term": "valve", "zh": "门", "also": ["valve"]}, "'valve' stands there already"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_term(tmp_path, row, message):
    first = yaml.safe_dump([ROW], allow_unicode=True, default_flow_style=True, width=1000)
    second = yaml.safe_dump([row], allow_unicode=True, default_flow_style=True, width=1000)
    text = "".join(f"- {one.strip()[1:-1]}\n" for one in (first, second))
    file = written(tmp_path, "# A comment.\n\n" + text)
    with pytest.raises(LoomError, match=re.escape(message)) as caught:
        read_glossary(file, PAGES)
    assert str(caught.value).startswith(f"{file}:4: the term ")


@pytest.mark.parametrize("text", ["", "a: b\n", "just words\n", "- {term: a: b}\n"])
def test_no_list_at_all_names_the_file(tmp_path, text):
    file = written(tmp_path, text)
    with pytest.raises(LoomError, match=r"expected rows of term, zh|no YAML") as caught:
        read_glossary(file, PAGES)
    assert str(caught.value).startswith(f"{file}: ")


# ---- its page ---------------------------------------------------------------------------------


def test_the_page_lists_every_term_by_letter_and_by_its_chinese_names():
    shown = [GATE, NORM, LAG]
    homes = {"part/one": page("# T", "title: The *one*\n", "part/one")}
    root = render(listing(shown, homes, "../"))
    jumps = [a.get("href") for a in root.find("p")]
    assert jumps == ["#letter-f", "#letter-g", "#letter-l", "#chinese"]
    assert [h.get("id") for h in root.iter("h2")] == [jump[1:] for jump in jumps]
    assert [(h.get("id"), text_of(h).rstrip("¶").strip()) for h in root.iter("h3")] == [
        ("forget-gate", "forget gate 遗忘门"),
        ("gradient-norm", "gradient norm 梯度范数"),
        ("lag", "lag 滞后、时滞"),
    ]
    entry = root.find("h3[@id='gradient-norm']").getnext()
    assert text_of(entry) == "Its length. Also: GN. The *one*"
    assert entry.find("a").get("href") == "../part/one.md"
    rows = [(text_of(row), row.find("a").get("href")) for row in root.iter("li")]
    assert rows == [
        ("时滞 lag", "#lag"),  # shí zhì
        ("梯度范数 gradient norm", "#gradient-norm"),  # tī dù
        ("遗忘门 forget gate", "#forget-gate"),  # yí wàng
        ("滞后 lag", "#lag"),  # zhì hòu
    ]


def test_chinese_terms_stand_in_the_order_of_their_sounds(terms):
    # Only the common characters of GB 2312 (its first level) are numbered by sound.
    for term in terms:
        for name in term.chinese:
            first = by_sound(name)[:2]
            assert not name[0] >= "\u4e00" or b"\xb0\xa1" <= first <= b"\xd7\xf9", name


# ---- the links on other pages -----------------------------------------------------------------


def explained(text, *terms, **more):
    return Explainer(terms or (GATE, LAG, NORM), "part/page", **more)(text)


def links(text, *terms, **more):
    """The words that became links, of a text that must still be good Markdown."""
    root = render(explained(text, *terms, **more))
    return [a.text for a in root.iter("a") if "rn-term" in (a.get("class") or "")]


def test_a_link_leads_to_the_entry_and_has_the_sentence_as_its_title():
    assert explained("The forget gate.") == (
        'The [forget gate](../reference/glossary.md#forget-gate "It keeps."){ .rn-term }.'
    )
    (link,) = render(explained("The forget gate.")).iter("a")
    assert link.get("title") == "It keeps." and link.get("class") == "rn-term"
    assert Explainer([LAG], "index")("lag").startswith("[lag](reference/glossary.md#lag ")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Lag, lag and lags.", ["Lag"]),
        ("Lags and a lag.", ["Lags"]),
        ("The time lag, then a lag.", ["time lag"]),
        ("A lag, then a time lag.", ["lag"]),
        ("flag, lagging, lag-free, time-lagged, x_lag", []),
        ("LAG and gn and Gn", []),
        ("GN, GNs", ["GN"]),
        ("a forget-gate", ["forget-gate"]),
        ("the forget gate's bias", ["forget gate"]),
        ("**forget gate and** *a lag*", ["forget gate", "lag"]),
        ("The **lag** is counted. The *forget gate* keeps. A lag, a forget gate.", []),
        ("- the forget\n  gate", ["forget\n  gate"]),
        ("the forget\n\ngate", []),
        ("a lag of `{python} lag`", ["lag"]),
        ("!!! note\n\n    A lag.", ["lag"]),
    ],
)
def test_whole_words_once_for_each_term(text, found):
    assert links(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "# The lag\n\n### Another lag",
        "::: rnnnotes.lag\n    options:\n      heading: lag",
        "| lag | a |\n| --- | --- |\n| b | lag |",
        "a | lag\n--- | ---\nlag | b",
        '!!! note "A lag"\n\n    x',
        '??? question "lag"\n\n    x',
        '=== "lag"\n\n    x',
        "x[^lag]\n\n[^lag]: A lag,\n    and a lag.\n\n    A lag.",
        "[x][lag]\n\n[lag]: lag.md 'lag'",
        "*[HTML]: a lag",
        "[lag](x.md)",
        "[a lag of `lag`](x.md#lag){ .lag }",
        "[a [lag] b](x.md)",
        "![lag](lag.png)",
        "[![lag](lag.png)](x.md)",
        "`lag` and `` a `lag` ``",
        "```text\nlag\n```".replace("```", "`"),
        "$lag$ and $$\nlag\n$$",
        "<!-- lag -->",
        "<div>\nlag\n</div>",
        'x <span title="lag">y</span>',
        "x\n{ #lag .lag }",
        "<https://a.b/lag> and https://a.b/lag",
        "## Sources\n\n- *On the lag*, 1997\n\n### More\n\n- lag",
    ],
)
def test_where_no_term_is_looked_for(text):
    assert explained(text) == text
    assert explained(f"{text}\n\n## Next\n\nThe lag.").count(".rn-term") == 1


def test_at_most_so_many_on_a_page_in_the_order_of_appearance():
    many = [Term(f"term {letter}", "词", "It is.", "part/one") for letter in "abcdefghijklmnop"]
    text = " ".join(term.term for term in reversed(many))
    assert links(text, *many) == [term.term for term in reversed(many)][:MOST]
    assert links("lag, forget gate", most=1) == ["lag"]


def test_pieces_of_a_page_share_what_was_said():
    explain = Explainer([LAG, GATE], "part/page")
    assert [explain(text).count(".rn-term") for text in ("lag", "lag", "forget gate")] == [1, 0, 1]


def test_no_link_on_the_page_that_explains_it_on_the_glossary_or_for_a_known_word():
    for name in ("part/one", HOME):
        assert Explainer([GATE, LAG], name)("The lag.") == "The lag."
    assert explained("The lag.", replace(LAG, link=False)) == "The lag."
    assert Explainer([], "part/page")("The lag.") == "The lag."


def test_prose_is_linked_and_blocks_captions_and_the_notebook_are_not():
    body = (
        "# A lag\n\n"
        "```python\n# the lag\nx = 1\n```\n\n"
        '!!! note "A lag"\n\n    The lag is $k$ of `{python} lag`.\n\n'
        "A lag again."
    )
    explain = Explainer([LAG], "part/page")
    woven = weave(body, [[stream("a lag\n")]], {"lag": "3"}, explain=explain)
    root = render(woven.markdown)
    (link,) = root.xpath("//a[@class='rn-term']")
    assert text_of(link.getparent()) == "The lag is k of 3."
    run = {"outputs": [[stream("a lag\n")]], "values": {"lag": "3"}}
    source = page(body)
    weaver = Weaver(
        source, run, REPOSITORY, {}, lambda _, make: make(), explain=Explainer([LAG], "part/page")
    )
    book = downloads.notebook(source, run, weaver.plain, weaver.plain_fence)
    assert "The lag is" in str(book) and "rn-term" not in str(book)


# ---- the project's own ------------------------------------------------------------------------


def test_it_is_not_small_and_covers_the_chinese_words_of_the_notes(terms):
    assert len(terms) >= 60
    names = {name for term in terms for name in term.chinese}
    words = """
        遗忘门 输入门 输出门 细胞状态 记忆状态 隐藏向量 梯度消失 梯度爆炸 梯度裁剪 梯度截断 数值溢出
        窥视孔连接 窥视孔 残差结构 门控机制 双向 单位矩阵 激活函数 初始化 独立同分布 共享参数 展开
        前馈神经网络 卷积神经网络 循环神经网络 语言模型 时间序列 时间步 反向传播 仿射变换 带宽
    """
    assert names >= set(words.split())


def test_every_chinese_term_stands_once(terms):
    names = [name for term in terms for name in term.chinese]
    assert len(names) == len(set(names))


def test_every_term_is_used_on_the_page_that_it_names(pages, terms):
    missing = []
    for term in terms:
        text = pages[term.home].text
        words = "|".join(re.escape(name).replace(r"\ ", r"[\s-]+") for name in term.english)
        if not re.search(rf"(?<![\w-])(?:{words})s?(?![\w-])", text, re.IGNORECASE):
            missing.append(f"{term.term}: not on {term.home}")
    assert missing == []


def test_the_pages_get_links_within_their_weight(pages, terms):
    linked = {}
    for name, source in pages.items():
        explain = Explainer(terms, name)
        prose = [part.text for part in source.parts if isinstance(part, Prose)]
        text = "\n\n".join(map(explain, prose))
        found = re.findall(r"\]\((?:\.\./)*reference/glossary\.md#([\w-]+) ", text)
        assert len(found) == len(set(found)) <= MOST, name
        html = re.findall(r'\]\((\S*) ("[^"]*")\)\{ \.rn-term \}', text)
        added = [f'<a class="rn-term" href="../{to}" title={says}></a>' for to, says in html]
        assert len("".join(added).encode()) <= 2500, name
        linked[name] = set(found)
    assert sum(len(found) >= 4 for found in linked.values()) >= 15
    assert linked[HOME] == set()
    slugs = {slug(term.term) for term in terms}
    assert set().union(*linked.values()) <= slugs
