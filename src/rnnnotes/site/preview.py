"""What the live preview keeps of one build for the next: pages that would be drawn as before.

MkDocs draws every page again after every save, and reads it again for the search. In a site of
many long pages that is nearly all of the time that a writer waits, for pages that nobody touched.
"""

import contextlib
import copy
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache


@dataclass(frozen=True)
class _Drawn:
    """A page that was drawn: from what, what it was given, and the names that it registered."""

    source: tuple[str, str]
    given: dict[str, Any]
    anchors: list[tuple[tuple[Any, ...], dict[str, Any]]]


class _Compiled(BytecodeCache):
    """The theme's templates, each compiled once; jinja itself sees whether one has changed."""

    def __init__(self) -> None:
        self.codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Any) -> None:
        if bucket.key in self.codes:
            bucket.bytecode_from_string(self.codes[bucket.key])

    def dump_bytecode(self, bucket: Any) -> None:
        self.codes[bucket.key] = bucket.bytecode_to_string()


@dataclass(frozen=True)
class _Layout:
    """A template of the theme, filled only once for the same content in the same site."""

    template: Any
    preview: "Preview"

    def render(self, context: dict[str, Any]) -> str:
        fill = partial(self.template.render, context)
        page = context.get("page")
        if page is None:
            return fill()
        made_of = (self.template.name, *_content(page), self.preview.site(context["nav"]))
        return self.preview.again(("layout", page.url), made_of, fill)


class Preview:
    """Lives as long as the preview; of each page it keeps the last."""

    def __init__(self) -> None:
        self.compiled = _Compiled()
        self._around = ""
        self._site: object = None
        self._drawn: dict[str, _Drawn] = {}
        self._made: dict[tuple[str, str], tuple[tuple[Any, ...], Any]] = {}

    def begin(self, names: Iterable[str], files: Iterable[Path]) -> None:
        """Begins a build. With other names in the site, or other files, every page is drawn.

        Args:
            names: of all files of the site, which pages may link to.
            files: what pages depend on beside their own text: settings, documented code, layout.
        """
        self._site = None
        hashed = hashlib.sha256(repr(sorted(names)).encode())
        for file in sorted(files):
            hashed.update(f"\n{file} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
        self._around = hashed.hexdigest()

    def again(
        self, name: tuple[str, str], made_of: tuple[Any, ...], make: Callable[[], Any]
    ) -> Any:
        """What was made under that name at last, if it is made of the same; or else it is made."""
        kept = self._made.get(name)
        if kept is None or kept[0] != made_of:
            kept = self._made[name] = (made_of, make())
        return kept[1]

    def site(self, nav: Any) -> object:
        """One object for as long as all pages have the same titles, settings and places."""
        if self._site is None:
            everything = (self._around, [*map(_entry, nav.items)])
            self._site = self.again(("site", ""), everything, object)
        return self._site

    def layouts(self, env: Any) -> None:
        """Lets MkDocs fill a page of the same content only once."""
        env.bytecode_cache = self.compiled
        get = env.get_template

        def get_template(name: str, *of_template: Any) -> Any:
            found = get(name, *of_template)
            return found if of_template else _Layout(found, self)

        env.get_template = get_template

    def draw(self, page: Any, config: Any, files: Any) -> None:
        """Does what ``Page.render`` does, for a page of the same text only once."""
        source = (self._around, page.markdown)
        name = page.file.src_uri
        drawn = self._drawn.get(name)
        if drawn is None or drawn.source != source:
            self._draw_anew(page, config, files, source)
            return
        vars(page).update(_copied(drawn.given))
        # Links are checked against the pages of this build.
        links = drawn.given.get("links_to_anchors") or {}
        page.links_to_anchors = {files.get_file_from_path(to.src_uri): links[to] for to in links}
        autorefs = config.plugins.get("autorefs")
        for args, options in drawn.anchors:
            autorefs.register_anchor(page, *args, **options)

    def _draw_anew(self, page: Any, config: Any, files: Any, source: tuple[str, str]) -> None:
        before = dict(vars(page))
        with _registered(config.plugins.get("autorefs")) as anchors, _warned() as warnings:
            type(page).render(page, config, files)
        self._drawn.pop(page.file.src_uri, None)
        if not warnings:  # the next build must hear them again
            given = {k: v for k, v in vars(page).items() if k not in before or before[k] is not v}
            self._drawn[page.file.src_uri] = _Drawn(source, _copied(given), anchors)

    def read_less(self, index: Any) -> None:
        """Lets the index of the search read a page of the same content only once."""
        if not hasattr(index, "entries"):  # not Material's
            return
        read = index.add_entry_from_context

        def entries(page: Any) -> list[dict[str, Any]]:
            start = len(index.entries)
            read(page)
            made = index.entries[start:]
            del index.entries[start:]
            return made

        def add(page: Any) -> None:
            index.entries += self.again(("read", page.url), _content(page), partial(entries, page))

        index.add_entry_from_context = add


def _copied(given: dict[str, Any]) -> dict[str, Any]:
    """With a table of contents of its own: the list of tags adds to that of its page."""
    return given | {"toc": copy.deepcopy(given["toc"])}


def _content(page: Any) -> tuple[Any, ...]:
    return (page.title, page.meta, page.content, [*map(_outline, page.toc)])


def _entry(item: Any) -> tuple[Any, ...]:
    """A page, section or link of the navigation, with what is below it."""
    told = [getattr(item, name, None) for name in ("title", "url", "meta")]
    return (*told, [*map(_entry, item.children or ())])


def _outline(item: Any) -> tuple[Any, ...]:
    return (item.id, item.title, [*map(_outline, item.children)])


@contextlib.contextmanager
def _registered(autorefs: Any) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """What is registered for links by name meanwhile, but for the page."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    if autorefs is None:
        yield calls
        return
    register = autorefs.register_anchor

    def noted(page: Any, *args: Any, **options: Any) -> None:
        calls.append((args, options))
        register(page, *args, **options)

    autorefs.register_anchor = noted
    try:
        yield calls
    finally:
        del autorefs.register_anchor


@contextlib.contextmanager
def _warned() -> Iterator[list[logging.LogRecord]]:
    """The warnings of MkDocs and its plugins meanwhile."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append
    logger = logging.getLogger("mkdocs")
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
