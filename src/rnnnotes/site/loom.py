"""From a folder of pages to woven Markdown: read, run what changed, check, weave, report."""

import base64
import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from rnnnotes.site import bibliography, downloads, feed, glossary, statement_table, statements
from rnnnotes.site.blocks import PageSource, read_page
from rnnnotes.site.byte_code import go_by_content
from rnnnotes.site.cache import Cache, write_whole
from rnnnotes.site.errors import LoomError, PageError, raise_all
from rnnnotes.site.links import address
from rnnnotes.site.weave import MARKER, Weaver, Woven, recorded

# The versions that the colophon names.
NAMED = ("torch", "numpy", "matplotlib", "keras", "mkdocs", "mkdocs-material", "mkdocs-jupyter")


Again = Callable[[tuple[str, str], tuple[Any, ...], Callable[[], Any]], Any]


def anew(name: tuple[str, str], made_of: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """Makes it: a build that is alone has nothing from a build before."""
    return make()


@dataclass(frozen=True)
class Settings:
    """Where things are, and how pages are run."""

    root: Path
    docs: Path
    cache: Path
    report: Path
    jobs: int = 0  # as many as there are processors
    time_limit: float = 120.0
    site_name: str = ""
    site_url: str = ""
    cards_for: str = ""  # the site's name on the pictures of its pages; empty: there are none


class Loom:
    """One build. ``prepare`` reads and runs; ``woven`` and ``files`` give what came out.

    Args:
        settings: see ``Settings``.
        log: gets one line for each page, and notices.
        again: gives what was made under a name in the build before, if it is made of the same.
    """

    def __init__(self, settings: Settings, log: Callable[[str], None], again: Again = anew) -> None:
        self.settings, self.log, self.again = settings, log, again
        self.cache = Cache(settings.cache, settings.root)
        self.pages: dict[str, PageSource] = {}
        self.runs: dict[str, Mapping[str, Any]] = {}
        self.status: dict[str, str] = {}
        self.records: dict[str, statements.Record] = {}
        self.statements: dict[str, statements.Statement] = {}
        self.terms: list[glossary.Term] = []
        self.changes: list[feed.Change] = []
        self.sources: list[bibliography.Source] = []
        self.cited: dict[str, list[str]] = {}

    # ---- reading and running ---------------------------------------------------------------

    def prepare(self, files: list[Path]) -> None:
        """Reads the pages, runs those whose kept outputs cannot be believed, checks verdicts."""
        errors: list[Exception] = []
        try:
            self._read(files)
            self.statements = statements.read_statements(self.settings.docs / "statements.yml")
            self.terms = glossary.read_glossary(self.settings.docs / "glossary.yml", self.pages)
            self.changes = feed.read_changes(self.settings.docs / "changes.yml", self.pages)
            self._read_sources()
            self._run()
            self._check()
        except LoomError as error:
            errors.append(error)
        except BaseException:
            with contextlib.suppress(LoomError):
                self.write_report()
            raise
        self._finish(errors)

    def _finish(self, errors: list[Exception]) -> None:
        """Writes the report, then raises what went wrong; a report that fails hides nothing."""
        try:
            self.write_report()
        except LoomError as error:
            errors.append(error)
        raise_all(errors)

    def _read(self, files: list[Path]) -> None:
        errors: list[Exception] = []
        for file in sorted(files, key=_place):
            try:
                page = read_page(file, self.settings.docs, self.settings.root)
                self.pages[page.name] = page
            except LoomError as error:
                errors.append(error)
        raise_all(errors)

    def _read_sources(self) -> None:
        file = self.settings.docs / "references.bib"
        path, self.sources = bibliography.read(file, self.settings.root, self.memo)
        if self.sources:
            self.cited = bibliography.check(self.sources, self.pages, self.statements, path)

    @property
    def notebooks(self) -> list[PageSource]:
        return [page for page in self.pages.values() if page.is_notebook]

    def _run(self) -> None:
        waiting = []
        for page in self.notebooks:
            run = self.cache.load(page)
            if run is None:
                waiting.append(page)
            else:
                self.runs[page.name] = run
                self.status[page.name] = "kept"
        kept = len(self.notebooks) - len(waiting)
        if kept:
            self.log(f"{kept} pages kept, {len(waiting)} to run")
        if not waiting:
            return
        # Only a build that runs something pays for loading what runs it.
        from rnnnotes.site.execute import run_pages

        self.cache.snapshot()
        for folder in ("src", "snippets", "docs"):
            go_by_content(self.settings.root / folder)
        # The longest first, so that none is left to run alone at the end.
        waiting.sort(key=self.cache.seconds, reverse=True)
        errors: list[Exception] = []
        unkept: list[Exception] = []

        def done(page: PageSource, outcome: Any) -> None:
            if not isinstance(outcome, Exception):
                try:
                    self.runs[page.name] = self.cache.store(page, outcome)
                except LoomError as error:
                    unkept.append(error)
            else:
                errors.append(outcome)
            if page.name not in self.runs:
                self.status[page.name] = "failed"
                self.log(f"{page.name}: failed")
                return
            self.status[page.name] = "ran"
            self.log(
                f"{page.name}: ran {len(page.blocks)} blocks in {outcome.seconds:.1f} s "
                f"({outcome.cpu_seconds:.1f} s of processor time)"
            )

        jobs = min(self.settings.jobs or cores(), len(waiting))
        self.log(f"running {len(waiting)} pages, {jobs} at a time")
        run_pages(
            waiting,
            self.settings.root,
            jobs=jobs,
            # A page that runs alone may use every processor; pages side by side share them.
            workers=max(1, cores() // jobs),
            time_limit=self.settings.time_limit,
            done=done,
        )
        if unkept:  # of a full disk one page tells enough
            more = f" (and so it is with {len(unkept) - 1} more)" if len(unkept) > 1 else ""
            errors.append(LoomError(f"{unkept[0]}{more}"))
        raise_all(errors)

    def _check(self) -> None:
        found = [
            record for page in self.notebooks for record in recorded(page, self.runs[page.name])
        ]
        paths = {name: page.path for name, page in self.pages.items()}
        self.records = statements.check(self.statements, found, paths)

    @cached_property
    def _versions(self) -> dict[str, str]:
        """The interpreter and the packages that the outputs depend on most."""
        found = {"python": platform.python_version()}
        for name in NAMED:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(name)
        return found

    # ---- weaving ---------------------------------------------------------------------------

    @cached_property
    def woven(self) -> dict[str, Woven]:
        """Every page, woven."""
        errors: list[Exception] = []
        out = {}
        # The pages that gather from others come last.
        for name, page in sorted(self.pages.items(), key=lambda item: not item[1].is_notebook):
            try:
                out[name] = self._of_page("woven", page, self._weaver(page).weave)
                if name in self.runs:
                    self._figures[name] = out[name].figures
            except LoomError as error:
                errors.append(error)
        self._finish(errors)
        return out

    def _of_page(self, what: str, page: PageSource, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, unless it gave it before for the same page in the same site."""
        if any(marker[1] in self._gathered for marker in MARKER.finditer(page.text)):
            return make()
        shown = [part.include[0] for part in page.parts if getattr(part, "include", None)]
        files = [self.settings.root / name for name in shown]
        made_of = (
            page,
            self.runs.get(page.name),
            self._around,
            [file.read_text("utf-8") for file in files if file.is_file()],
            downloads.project_files(page, self.settings.root),
        )
        return self.again((what, page.name), made_of, make)

    @cached_property
    def _around(self) -> object:
        """One object for as long as all is the same that a page may show of the rest of the site.

        Comparing it is comparing everything, once in a build.
        """
        titles = {name: page.meta.get("title") for name, page in self.pages.items()}
        everything = (self.settings, self.statements, self.records, self.terms, titles)
        return self.again(("around", ""), everything, object)

    @cached_property
    def _figures(self) -> dict[str, int]:
        return {}

    @cached_property
    def _gathered(self) -> dict[str, Callable[[PageSource], str]]:
        """What is made from other pages, and from how this build went, by its marker."""
        return {
            "statements": self._statement_table,
            "bibliography": self._bibliography,
            "colophon": self._colophon,
            "glossary": self._glossary,
            "changes": lambda p: feed.listing(self.changes, "../" * p.name.count("/")),
            "verdict-counts": lambda _: statement_table.counts(self.statements, self.records),
        }

    def _weaver(self, page: PageSource) -> Weaver:
        generated = dict(self._gathered)
        for name, record in self.records.items():
            generated[f"verdict-{name}"] = partial(statement_table.verdict_link, record)
        return Weaver(
            page,
            self.runs.get(page.name),
            self.settings.root,
            self.statements,
            self.memo,
            generated,
            glossary.Explainer(self.terms, page.name),
        )

    def memo(self, source: str, make: Callable[[], str]) -> str:
        """Keeps what is slow to make under the hash of its source and of the code that makes it."""
        digest = hashlib.sha256(f"{self._makers}{source}".encode()).hexdigest()
        file = self.settings.cache / "made" / f"{digest}.txt"
        try:
            body, _, check = file.read_text("utf-8").rpartition("\n")
            if check == hashlib.sha256(body.encode()).hexdigest():
                return body
        except (OSError, UnicodeDecodeError):
            pass
        made = make()
        write_whole(file, f"{made}\n{hashlib.sha256(made.encode()).hexdigest()}")
        return made

    @cached_property
    def _makers(self) -> str:
        here = Path(__file__).parent
        files = (
            here / "figures.py",
            here / "compact.py",
            here / "downloads.py",
            here.parent / "plot" / "palette.py",
        )
        return "".join(file.read_text("utf-8") for file in files)

    def files(self) -> dict[str, str | bytes]:
        """What the site holds beside pages: path in the site, content."""
        out: dict[str, str | bytes] = dict(self._downloads())
        if self.statements:
            url = self.settings.site_url
            out["reference/statements.json"] = statement_table.as_json(
                self.statements, self.records, self._recorder, url
            )
        if self.changes:
            out[feed.PATH] = feed.atom(
                self.changes, self.settings.site_name, self.settings.site_url
            )
        if self.settings.cards_for:
            # By address, which is what a template of any builder knows of a page.
            out |= {
                f"assets/cards/{address(name).strip('/') or 'index'}.png": self._card(page)
                for name, page in self.pages.items()
            }
        return out

    def _downloads(self) -> dict[str, str]:
        """The notebook and the script of every executed page."""
        out = {}
        for page in self.notebooks:
            made = self._of_page("downloads", page, partial(self._download, page))
            out[f"{page.name}.ipynb"], out[f"{page.name}.py"] = made
        return out

    def _download(self, page: PageSource) -> tuple[str, str]:
        weaver = self._weaver(page)
        book = downloads.notebook(
            page,
            self.runs[page.name],
            weaver.plain,
            weaver.plain_fence,
            self.settings.site_url,
            downloads.project_files(page, self.settings.root),
        )
        text = downloads.to_json(book)
        return text, self.memo(text, lambda: downloads.script(book))

    def _card(self, page: PageSource) -> bytes:
        """The picture of a page for links from elsewhere; drawn again only for other words."""
        folder, _, _ = page.name.rpartition("/")
        words = (self.settings.cards_for, folder.partition("/")[0].capitalize())
        words += (str(page.meta.get("title") or page.name), page.meta.get("description") or "")
        drawer = (Path(__file__).parents[1] / "plot" / "social_card.py").read_text("utf-8")

        def draw() -> str:
            # Only a build that draws one pays for loading matplotlib.
            from rnnnotes.plot.social_card import social_card

            return base64.b64encode(social_card(*words)).decode()

        return base64.b64decode(self.memo(f"{drawer}{words}", draw))

    # ---- what is gathered from all pages ---------------------------------------------------

    def _statement_table(self, page: PageSource) -> str:
        return statement_table.as_markdown(self.statements, self.records, self._recorder, page)

    def _recorder(self, name: str) -> Weaver:
        """The weaver of the page of that name."""
        return self._weaver(self.pages[name])

    def _bibliography(self, page: PageSource) -> str:
        if not self.sources:
            line = page.text.count("\n", 0, bibliography.MARKER.search(page.text).start()) + 1
            raise PageError(page.path, line, "a bibliography without docs/references.bib")
        titles = {name: str(p.meta.get("title", name)) for name, p in self.pages.items()}
        verdicts = {name: (r.page, r.verdict["verdict"]) for name, r in self.records.items()}
        up = "../" * page.name.count("/")
        return bibliography.Shown(self.sources, self.cited, titles, verdicts, up).markdown()

    def _colophon(self, page: PageSource) -> str:
        lines = [
            "| page | blocks run | figures | verdicts |",
            "| --- | --- | --- | --- |",
        ]
        up = "../" * page.name.count("/")
        for row in self._rows():
            name = row["page"]
            title = self.pages[name].meta.get("title", name)
            lines.append(
                f"| [{title}]({up}{name}.md) | {row['blocks']} | {row['figures']} "
                f"| {row['verdicts']} |"
            )
        lines += ["", "| made with | version |", "| --- | --- |"]
        lines += [f"| {name} | {version} |" for name, version in self._versions.items()]
        return "\n".join(lines)

    def _glossary(self, page: PageSource) -> str:
        return glossary.listing(self.terms, self.pages, "../" * page.name.count("/"))

    # ---- report ----------------------------------------------------------------------------

    def _rows(self) -> list[dict[str, Any]]:
        count = Counter(record.page for record in self.records.values())
        return [
            {
                "page": page.name,
                "status": self.status.get(page.name, "not run"),
                "blocks": len(page.blocks),
                "figures": self._figures.get(page.name, 0),
                "verdicts": count[page.name],
                "seconds": round(self.runs.get(page.name, {}).get("seconds", 0.0), 3),
                "cpu_seconds": round(self.runs.get(page.name, {}).get("cpu_seconds", 0.0), 3),
            }
            for page in self.notebooks
        ]

    def write_report(self) -> None:
        """Writes what this build did: ``{"pages": […], "versions": {…}}``."""
        report = {"pages": self._rows(), "versions": self._versions, "written": time.time()}
        write_whole(self.settings.report, json.dumps(report, indent=1) + "\n")


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _place(file: Path) -> tuple[tuple[int, bool, str], ...]:
    """The order of pages where they are listed, whoever asks for them: that of MkDocs.

    A folder's files before its folders, its index before the others.
    """
    folders = [(1, False, name) for name in file.parts[:-1]]
    return (*folders, (0, file.stem != "index", file.name))
