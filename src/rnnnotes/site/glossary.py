"""The glossary: its file, the page that shows it, and the links to it from the other pages."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from rnnnotes.site.blocks import SPAN, PageSource
from rnnnotes.site.errors import PageError
from rnnnotes.site.rows import read_rows
from rnnnotes.site.weave import FORMULA, escape_markdown

HOME = "reference/glossary"
# A page has at most so many links to the glossary, and a tooltip is read at a glance.
MOST = 10
LONGEST = 140

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_INNER = re.compile(r"(?<=\w)_(?=\w)")  # as in weight_hh, which Markdown leaves alone
# A rare character (ǒu), and one with two sounds (chóng in "reset"): their place in the order.
_SOUNDS_LIKE = str.maketrans({"耦": "偶", "重": "崇"})
# What is no running prose: no term is looked for in it.
_ELSEWHERE = re.compile(
    "|".join(
        (
            r"^\#\#[ ]Sources\b.*?(?=^\#\#[ ]|\Z)",
            r"^[ ]*\#{1,6}[ ][^\n]*",  # headings
            r"^:::[ ][^\n]*(?:\n[ ]{4}[^\n]*)*",  # where mkdocstrings puts a docstring
            r"^[^\n]*\|[^\n]*",  # rows of tables
            r"^[ ]*(?:!!!|\?\?\?\+?|===[!+]?|/{3,})[ ][^\n]*",  # titles of callouts and tabs
            # Footnotes, addresses of links, abbreviations: up to a line that is not theirs.
            r"^[ ]*\*?\[[^\]\n]+\]:[^\n]*(?:\n[^\n]*\S[^\n]*)*(?:\n+[ ]{4}[^\n]*)*",
            r"^[ ]*<[a-zA-Z/][^\n]*(?:\n[^\n]*\S[^\n]*)*",  # HTML, up to an empty line
            r"<!--.*?-->",
            r"</?[a-zA-Z][^>]*>",
            SPAN.pattern,
            FORMULA.pattern,
            r"\[\^[^\]\n]+\]",
            # Links and pictures with what is behind them; brackets may stand inside of brackets.
            r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\][(\[](?:[^()\[\]]|\([^()]*\))*[)\]]",
            r"\{:?[ ]?[.\#][^}\n]*\}",
            r"https?://[^\s)>]+",
        )
    ),
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Term:
    """One term: English, Chinese, one sentence, and the page that explains it.

    ``page`` may have an anchor, ``part/page#anchor``. ``also`` holds other names, in either
    language. A term with ``link: false`` is known to every reader: it is listed, and no page
    links to it.
    """

    term: str
    zh: str
    says: str
    page: str
    also: tuple[str, ...] = ()
    link: bool = True

    @property
    def slug(self) -> str:
        return slug(self.term)

    @property
    def home(self) -> str:
        """The page's name, without the anchor."""
        return self.page.partition("#")[0]

    @property
    def english(self) -> list[str]:
        return [name for name in (self.term, *self.also) if not _CHINESE.search(name)]

    @property
    def chinese(self) -> list[str]:
        return [name for name in (self.zh, *self.also) if _CHINESE.search(name)]


@cache
def slug(name: str) -> str:
    """``GRU's 1 - z`` as ``gru-s-1-z``; Chinese stays."""
    return "-".join(re.findall(r"\w+", name.lower()))


# ---- the file ------------------------------------------------------------------------------


def read_glossary(file: Path, pages: Iterable[str]) -> list[Term]:
    """Reads the list; a site without one has no glossary.

    Args:
        pages: the names of all pages of the site.

    Raises:
        LoomError: a row that is wrong, by file, line and term.
    """
    pages = set(pages)
    terms: list[Term] = []
    seen: dict[str, str] = {}
    for row, line in read_rows(file, "term, zh, says, page", HOME, pages):
        try:
            term = _term(row, pages)
            for name in (term.term, term.zh, *term.also):
                if slug(name) in seen:
                    raise ValueError(f"{name!r} stands there already, as {seen[slug(name)]!r}")
                seen[slug(name)] = name
        except ValueError as error:
            name = row.get("term", row) if isinstance(row, dict) else row
            raise PageError(str(file), line, f"the term {name!r}: {error}") from None
        terms.append(term)
    return sorted(terms, key=lambda term: term.slug)


def _term(row: Any, pages: set[str]) -> Term:
    """A row as a term. ``ValueError`` says what is wrong with it."""
    keys = {field.name: field for field in fields(Term)}
    if not isinstance(row, dict):
        raise ValueError(f"expected {', '.join(keys)}, got {row!r}")
    for key in row:
        if key not in keys:
            raise ValueError(f"expected keys of {', '.join(keys)}, got {key!r}")
    for key, field in keys.items():
        if key not in row and field.default is MISSING:
            raise ValueError(f"has no {key}")
    also, link = row.get("also", []), row.get("link", True)
    if not isinstance(also, list):
        raise ValueError(f"expected also: [a, list], got {also!r}")
    if not isinstance(link, bool):
        raise ValueError(f"expected link: true or false, got {link!r}")
    for text in (row["term"], row["zh"], row["says"], row["page"], *also):
        # It stands in headings, in titles between double quotes, and in links.
        if not isinstance(text, str) or not text.strip() or '"' in text:
            raise ValueError(f"expected text without double quotes, got {text!r}")
        plain = _INNER.sub("", text)
        if text != row["page"] and escape_markdown(plain) != plain:
            raise ValueError(f"expected plain words without marks of Markdown, got {text!r}")
    if not _CHINESE.search(row["zh"]):
        raise ValueError(f"expected Chinese as zh, got {row['zh']!r}")
    if len(row["says"]) > LONGEST:
        raise ValueError(f"expected at most {LONGEST} characters, got {len(row['says'])}")
    term = Term(**{**row, "also": tuple(also)})
    if term.home not in pages:
        raise ValueError(f"expected the name of a page, got {row['page']!r}")
    return term


# ---- its own page --------------------------------------------------------------------------


def listing(terms: Iterable[Term], pages: Mapping[str, PageSource], up: str) -> str:
    """The glossary as Markdown: by letter, then again by the Chinese names."""
    terms = list(terms)
    groups = itertools.groupby(terms, key=lambda term: term.slug[0].upper())
    letters = {letter: list(group) for letter, group in groups}
    jumps = [f"[{letter}](#letter-{letter.lower()})" for letter in letters]
    out = [" ".join([*jumps, f"[{_in_chinese('中文')}](#chinese)"]) + "\n{ .rn-letters }", ""]
    for letter, group in letters.items():
        out += [f"## {letter} {{ #letter-{letter.lower()} .rn-letter }}", ""]
        for term in group:
            out += _entry(term, pages, up)
    out += [
        f"## By the Chinese term {_in_chinese('中文')} {{ #chinese }}",
        "",
        "In the order of their sounds (pinyin).",
        "",
        '<div class="rn-chinese" markdown="1">',
        "",
    ]
    names = [(name, term) for term in terms for name in term.chinese]
    for name, term in sorted(names, key=lambda pair: by_sound(pair[0])):
        out.append(f"- {_in_chinese(name)} [{term.term}](#{term.slug})")
    return "\n".join([*out, "", "</div>"])


def _entry(term: Term, pages: Mapping[str, PageSource], up: str) -> list[str]:
    title = pages[term.home].meta.get("title", term.home)
    path, hash_, anchor = term.page.partition("#")
    others = ", ".join(term.english[1:])
    also = f"*Also: {others}.* " if others else ""
    chinese = "、".join(term.chinese)
    return [
        f"### {term.term} {_in_chinese(chinese)} {{ #{term.slug} .rn-entry }}",
        "",
        f"{term.says} {also}[{escape_markdown(title)}]({up}{path}.md{hash_}{anchor})",
        "",
    ]


def _in_chinese(text: str) -> str:
    return f'<span lang="zh-Hans">{text}</span>'


def by_sound(name: str) -> bytes:
    """Sorts Chinese by pinyin: the standard GB 2312 numbers its common characters in that order."""
    return name.translate(_SOUNDS_LIKE).encode("gb18030")


# ---- on the other pages --------------------------------------------------------------------


class Explainer:
    """Makes the first occurrence of each term in the prose of one page a link to its entry.

    A term is left alone on the page that the glossary names for it, and on one that introduces
    it itself: there it stands in *emphasis*.

    Args:
        terms: the glossary.
        page: the name of the page.
        most: links on this page.
    """

    def __init__(self, terms: Iterable[Term], page: str, most: int = MOST) -> None:
        self.up = "../" * page.count("/")
        self.here = [term for term in terms if term.link and page not in (HOME, term.home)]
        self.left = most

    # Most are made for a page of which only numbers are asked, and explain nothing.
    @cached_property
    def waiting(self) -> dict[str, Term]:
        return {slug(name): term for term in self.here for name in term.english}

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        # The longest first: "vanishing gradient" before "gradient". A space may be a line's end.
        names = sorted((name for term in self.here for name in term.english), key=len, reverse=True)
        words = "|".join(_pattern(name) for name in names)
        return re.compile(
            rf"{_ELSEWHERE.pattern}|(?<![\w-])(?P<term>(?:{words})s?)(?![\w-])",
            re.DOTALL | re.MULTILINE,
        )

    def __call__(self, text: str) -> str:
        """A piece of the page's prose, pieces in their order, with its links."""
        return self.pattern.sub(self._link, text) if self.waiting else text

    def _link(self, match: re.Match[str]) -> str:
        if match["term"] is None or not self.left:
            return match[0]
        name = slug(match["term"])
        term = self.waiting.get(name) or self.waiting.get(name.removesuffix("s"))
        if term is None:  # it has its link already
            return match[0]
        for other in term.english:
            del self.waiting[slug(other)]
        around = match.string[max(match.start() - 1, 0) : match.start()]
        around += match.string[match.end() : match.end() + 1]
        if around == "**":  # emphasis: the page explains the term in this place
            return match[0]
        self.left -= 1
        return f'[{match[0]}]({self.up}{HOME}.md#{term.slug} "{term.says}"){{ .rn-term }}'


@cache
def _pattern(name: str) -> str:
    first, rest = name[0], re.escape(name[1:])
    if first.isalpha():
        first = f"[{first.upper()}{first.lower()}]"
    return first + re.sub(r"\\ |\\-", r"(?:[ -]|\\n[ ]*(?=\\S))", rest)
