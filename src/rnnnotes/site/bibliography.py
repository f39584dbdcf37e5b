"""The bibliography: a BibTeX file, checked against the pages that cite, and written out as lines.

``docs/references.bib`` holds every source once, with fields of our own beside the usual ones:

- ``topic``: a key of ``TOPICS``;
- ``gist``: what the source is good for, or its result, in one sentence;
- ``outcome``: a key of ``OUTCOMES``; ``found``: one clause on what came out here;
- ``where``: the place of our measurement, ``part/page#anchor``;
- ``statement``: ids in statements.yml whose verdicts belong to it; ``read``: what was read of it;
- ``notes``: letters of the notes that link to it; ``named``: words by which pages name it, for a
  source that has neither a link nor a title in italics there.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rnnnotes.site.blocks import PageSource
from rnnnotes.site.errors import PageError, raise_all
from rnnnotes.site.statements import NOTES
from rnnnotes.site.weave import escape_markdown

MARKER = re.compile(r"<!--\s*rnnnotes:\s*bibliography\s*-->")

TOPICS = {
    "gradients": "Why gradients vanish and explode",
    "training": "Clipping, truncation, penalties and starts",
    "gates": "Gated cells",
    "shortcuts": "Shortcuts and attention",
    "reservoirs": "Echo states and memory",
    "architectures": "Both ways, stacks and convolutions",
    "hardware": "Hardware",
    "looking": "Looking inside, counting, data",
    "notes": "What the notes link to",
    "manuals": "Threads and manuals",
}
OUTCOMES = {
    "reproduced": "the result that is named came out here too",
    "in part": "some of it came out, or only in a smaller setting or under a condition",
    "not reproduced": "it was tried, and something else came out",
    "not tried": "cited, and not measured here",
    "no result": "a method, a definition, data or a lesson: there is no result to reproduce",
}
# Of these something was measured, so that they must say what, and where it stands.
TRIED = ("reproduced", "in part", "not reproduced")

_USUAL = (
    "title author editor year journal booktitle publisher school institution howpublished note "
    "volume number pages doi eprint archiveprefix url"
).split()
_OURS = "topic gist outcome found where statement read notes named".split()
_VENUES = ("journal", "booktitle", "publisher", "school", "institution", "howpublished")

_URL = re.compile(r"https?://[^\s)>\]\"'`]+")
_DOI = re.compile(r"(?:dx\.)?doi\.org/(10\..+)", re.IGNORECASE)
_ARXIV = re.compile(r"(?:www\.)?arxiv\.org/(?:abs|pdf|html)/([\w.\-/]+?)(?:v\d+)?(?:\.pdf)?", re.I)
_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.", re.IGNORECASE)
_PROCEEDINGS = re.compile(
    r"(?:proceedings\.mlr\.press|aclanthology\.org|(?:www\.)?jmlr\.org/papers|openreview\.net|"
    r"papers\.nips\.cc|proceedings\.neurips\.cc)/",
    re.IGNORECASE,
)
_ITALIC = re.compile(r"(?<![\w*])\*(?![\s*])([^*]+?)(?<![\s*])\*(?!\*)")


@dataclass(frozen=True)
class Source:
    """One entry of the file; ``line`` is that of its key."""

    key: str
    line: int
    authors: tuple[str, ...]
    fields: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")

    def list(self, name: str) -> list[str]:
        """A field that holds several values, with commas between them."""
        return [item for item in re.split(r"[,\s]+", self[name]) if item]

    @property
    def links(self) -> set[str]:
        """What a link to it comes down to: see ``link_id``."""
        links = {f"doi:{self['doi']}".casefold()} if self["doi"] else set()
        if self["eprint"]:
            links.add(f"arxiv:{self['eprint']}".casefold())
        return links | ({link_id(self["url"])} if self["url"] else set())

    @property
    def address(self) -> str:
        """Where a reader finds it; empty for a source without an address."""
        if self["doi"]:
            return f"https://doi.org/{self['doi']}"
        return f"https://arxiv.org/abs/{self['eprint']}" if self["eprint"] else self["url"]

    @property
    def short(self) -> str:
        """Authors and year."""
        names = self.authors
        if len(names) > 3 or "others" in names:
            names = (f"{names[0]} et al.",)
        who = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        return f"{who} {self['year']}".strip()


def link_id(url: str) -> str:
    """``doi:10.1/x``, ``arxiv:1211.5063``, or the address without scheme, slash and anchor."""
    bare = re.sub(r"^https?://", "", url).partition("#")[0].rstrip("/.,;")
    if match := _DOI.fullmatch(bare):
        name = match[1]
        arxiv = _ARXIV_DOI.match(name)
        return (f"arxiv:{name[arxiv.end() :]}" if arxiv else f"doi:{name}").casefold()
    if match := _ARXIV.fullmatch(bare):
        return f"arxiv:{match[1]}".casefold()
    return bare.removeprefix("www.")


# ---- reading -----------------------------------------------------------------------------------


def parse(text: str, path: str) -> list[dict[str, Any]]:
    """The entries of a BibTeX text as plain data: key, line, authors, fields.

    Raises:
        PageError: what BibTeX cannot read, a key that stands there twice, or no entry at all.
    """
    # A third of a second to load: only a build after a change of the file pays for it.
    from pybtex.database import BibliographyDataError, parse_string
    from pybtex.exceptions import PybtexError

    try:
        entries = parse_string(text, "bibtex").entries
    except BibliographyDataError as error:
        message = str(error)
        named = re.search(r"(?:entry:|key) (\S+)", message)
        raise PageError(path, _line(text, named[1], last=True) if named else 1, message) from None
    except PybtexError as error:
        line = getattr(error, "lineno", None) or 1
        message = re.sub(r"^syntax error in line \d+: ", "not BibTeX: ", str(error))
        raise PageError(path, line, message) from None
    if not entries:
        raise PageError(path, 1, "expected BibTeX entries, got none")
    rows = []
    for key, entry in entries.items():
        people = entry.persons.get("author") or entry.persons.get("editor") or ()
        rows.append(
            {
                "key": key,
                "line": _line(text, key),
                "authors": [_surname(person) for person in people],
                "fields": {
                    name.lower(): " ".join(value.replace("{", "").replace("}", "").split())
                    for name, value in entry.fields.items()
                },
            }
        )
    return rows


def _surname(person: Any) -> str:
    names = [*person.prelast_names, *person.last_names]
    return " ".join(name.replace("{", "").replace("}", "") for name in names)


def _line(text: str, key: str, last: bool = False) -> int:
    """The line of a key; with ``last`` of the last entry that has it."""
    found = list(re.finditer(rf"@\w+\s*\{{\s*{re.escape(key)}\s*,", text, re.IGNORECASE))
    return text.count("\n", 0, found[-1 if last else 0].start()) + 1 if found else 1


def read(
    file: Path, root: Path, memo: Callable[[str, Callable[[], str]], str]
) -> tuple[str, list[Source]]:
    """The file's path for messages, and its sources; a site without the file has none.

    Args:
        memo: keeps a text under the text that it is made from.
    """
    path = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    if not file.is_file():
        return path, []
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PageError(path, 1, f"expected UTF-8 text, got {error.reason}") from None
    made_by = Path(__file__).read_text("utf-8")
    rows = json.loads(memo(f"{made_by}{text}", lambda: json.dumps(parse(text, path))))
    return path, [Source(r["key"], r["line"], tuple(r["authors"]), r["fields"]) for r in rows]


# ---- checking ----------------------------------------------------------------------------------


def check(
    sources: Iterable[Source],
    pages: Mapping[str, PageSource],
    statements: Mapping[str, Any],
    path: str,
) -> dict[str, list[str]]:
    """Every source whole and cited, every scholarly link of a page a source.

    Returns:
        The names of the pages that cite each source, by its key.

    Raises:
        LoomError: every fault that was found, each with the file or page and the line.
    """
    sources = list(sources)
    cited = citations(sources, pages)
    faults: list[Exception] = []
    owner: dict[str, str] = {}
    for source in sources:
        said = _faults(source, pages, statements)
        for link in source.links:
            if link in owner:
                said.append(f"{link} is also that of {owner[link]}")
            owner.setdefault(link, source.key)
        if not cited[source.key] and not source["notes"]:
            said.append("no page cites it, and no note links to it")
        faults += [PageError(path, source.line, f"{source.key}: {fault}") for fault in said]
    for page in pages.values():
        for match in _URL.finditer(page.text):
            link = link_id(match[0])
            if link not in owner and (link.startswith(("doi:", "arxiv:")) or _paper(link)):
                line = page.text.count("\n", 0, match.start()) + 1
                faults.append(PageError(page.path, line, f"{match[0]} is no source in {path}"))
    raise_all(faults)
    return cited


def _paper(link: str) -> bool:
    return _PROCEEDINGS.match(link) is not None


def _faults(
    source: Source, pages: Mapping[str, PageSource], statements: Mapping[str, Any]
) -> list[str]:
    """What one entry lacks, or says that cannot be."""
    faults = [
        f"unknown field {name!r}: expected one of {', '.join(_USUAL + _OURS)}"
        for name in source.fields
        if name not in _USUAL + _OURS
    ]
    needed = ["title", "topic", "gist"]
    if source["topic"] != "manuals":
        needed += ["outcome"] if source["topic"] == "notes" else ["year", "outcome"]
    if source["outcome"] in TRIED:
        needed.append("found")
    if source["outcome"] not in ("", "not tried"):
        needed.append("where")
    faults += [f"missing field {name!r}" for name in needed if not source[name]]
    if not source.authors and source["topic"] not in ("notes", "manuals"):
        faults.append("missing field 'author'")
    for name, known in (("topic", TOPICS), ("outcome", OUTCOMES)):
        if source[name] and source[name] not in known:
            faults.append(f"{name}: expected one of {', '.join(known)}, got {source[name]!r}")
    page = source["where"].partition("#")[0]
    if page and page not in pages:
        faults.append(f"where: there is no page {page!r}")
    faults += [
        f"statement: no statement has the id {name!r}"
        for name in source.list("statement")
        if name not in statements
    ]
    faults += [
        f"notes: expected letters of {', '.join(NOTES)}, got {name!r}"
        for name in source.list("notes")
        if name not in NOTES
    ]
    return faults


def citations(sources: Iterable[Source], pages: Mapping[str, PageSource]) -> dict[str, list[str]]:
    """Which pages link to a source, print its title in italics, or name it; not the list itself."""
    citing = {
        page.name: _mentions(page.text) for page in pages.values() if not MARKER.search(page.text)
    }

    def citers(source: Source) -> list[str]:
        links, title, named = source.links, source["title"].casefold(), source["named"].casefold()
        return [
            name
            for name, (linked, italic, plain) in citing.items()
            if links & linked or title in italic or (named and named in plain)
        ]

    return {source.key: citers(source) for source in sources}


@lru_cache(maxsize=256)  # a preview asks it of all pages after every save
def _mentions(text: str) -> tuple[set[str], set[str], str]:
    """The links of a page, what it prints in italics, and its text in plain small letters."""
    plain = " ".join(text.split()).casefold()
    return {link_id(url) for url in _URL.findall(text)}, set(_ITALIC.findall(plain)), plain


# ---- writing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What the lines need to know of the site: titles of pages, verdicts, the way to the root."""

    sources: list[Source]
    cited: Mapping[str, list[str]]
    titles: Mapping[str, str]
    verdicts: Mapping[str, tuple[str, str]]  # statement id: its page and its word
    up: str

    def markdown(self) -> str:
        """The whole list, with its headings."""
        papers = [s for s in self.sources if s["topic"] not in ("notes", "manuals")]
        lines = ["## Papers and books", "", *self._summary(papers), ""]
        for topic, title in TOPICS.items():
            rows = sorted(
                (s for s in self.sources if s["topic"] == topic),
                key=lambda s: (s["year"], s.short.casefold(), s["title"].casefold()),
            )
            if topic == "notes":
                lines += [f"## {title}", "", *self._notes(), ""]
            elif rows:
                level = "##" if topic == "manuals" else "###"
                lines += [f"{level} {title}", "", *map(self._entry, rows), ""]
        return "\n".join(lines)

    def _summary(self, papers: list[Source]) -> list[str]:
        count = {word: sum(s["outcome"] == word for s in papers) for word in OUTCOMES}
        return [
            f"{len(papers)} works, by topic and year. A coloured word leads to the measurement:",
            "",
            "| word | works | what it says |",
            "| --- | --- | --- |",
            *(f"| {_word(word)} | {count[word]} | {says} |" for word, says in OUTCOMES.items()),
        ]

    def _notes(self) -> list[str]:
        lines = []
        for note, title in NOTES.items():
            rows = [s for s in self.sources if note in s.list("notes")]
            if rows:
                lines += [f"**Note {note}, {title}**", ""]
                lines += [self._entry(s) if s["topic"] == "notes" else _pointer(s) for s in rows]
                lines.append("")
        return lines

    def _entry(self, source: Source) -> str:
        parts = [f'- <span id="{source.key}"></span>{_cited_as(source)}']
        parts.append(_sentence(source["gist"]))
        if source["outcome"]:
            where = self._link(source["where"])
            word = f"[{source['outcome']}]({where})" if where else f"{source['outcome']}"
            data = source["outcome"].replace(" ", "-")
            shown = f"{word}{{ .rn-word .rn-{data} }}" if where else _word(source["outcome"])
            found = f": {escape_markdown(source['found'])}" if source["found"] else ""
            verdicts = ", ".join(map(self._verdict, source.list("statement")))
            measured = source["outcome"] != "not tried"
            parts.append(f"{shown}{found}{f' ({verdicts})' if verdicts and measured else ''}.")
            if verdicts and not measured:
                parts.append(f"On its subject: {verdicts}.")
        if source["read"]:
            parts.append(f"Read: {escape_markdown(source['read']).rstrip('.')}.")
        if self.cited[source.key]:
            pages = (
                f"[{self.titles[p].rstrip('?')}]({self.up}{p}.md)" for p in self.cited[source.key]
            )
            parts.append(f"Cited in {', '.join(pages)}.")
        return " ".join(parts)

    def _verdict(self, name: str) -> str:
        if name not in self.verdicts:
            return name
        page, word = self.verdicts[name]
        return f"[{name}]({self.up}{page}.md#{name}) {word}"

    def _link(self, where: str) -> str:
        page, hash_, anchor = where.partition("#")
        return f"{self.up}{page}.md{hash_}{anchor}" if page else ""


def _cited_as(source: Source) -> str:
    title = escape_markdown(source["title"])
    title = f"*[{title}]({source.address})*" if source.address else f"*{title}*"
    venue = next((source[name] for name in _VENUES if source[name]), "")
    if source["volume"]:
        venue += f" {source['volume']}"
    if not venue and source["eprint"]:
        venue = f"arXiv {source['eprint']}"
    head = escape_markdown(source.short)
    return ", ".join(filter(None, (head, title, escape_markdown(venue)))) + "."


def _pointer(source: Source) -> str:
    title = escape_markdown(source["title"])
    return f"- {escape_markdown(source.short)}, [*{title}*](#{source.key}): above."


def _sentence(text: str) -> str:
    text = escape_markdown(text[:1].upper() + text[1:])
    return text if text.endswith((".", "?")) else f"{text}."


def _word(word: str) -> str:
    return f'<span class="rn-word rn-{word.replace(" ", "-")}">{word}</span>'
