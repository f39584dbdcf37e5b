"""The MkDocs plugin: runs the pages, hands their woven Markdown to the theme, guards the site.

mkdocs-jupyter claims a notebook page and would draw it itself; this plugin comes after it and
takes the page back, so that Material draws everything.
"""

import errno
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from mkdocs.config import base
from mkdocs.config import config_options as options
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, PluginError
from mkdocs.plugins import BasePlugin, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from rnnnotes.site import signatures
from rnnnotes.site.errors import LoomError
from rnnnotes.site.folders import clear_staged, replace_folder
from rnnnotes.site.links import LinkLines
from rnnnotes.site.lock import Lock
from rnnnotes.site.loom import Loom, Settings, anew
from rnnnotes.site.preview import Preview

log = logging.getLogger("mkdocs.plugins.rnnnotes")
link_log = logging.getLogger("mkdocs.structure.pages")
LAST = -100
# Pygments wraps every name, number, comma and space in a span of its own. Keywords, strings and
# comments keep theirs; without the others the code of a page weighs a third.
_PLAIN = re.compile(r'<span class="(?:n|p|o|w|mi|mf|nb|nf|nn|nc|nd|bp|fm|vm|sa|si)">([^<]*)</span>')

# The theme's templates leave their own indentation in the page; only code needs its own.
_VERBATIM = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)
_MARGIN = re.compile(r"\n\s+")


def _import_on_use(name: str) -> None:
    """Defers a submodule until somebody takes something from it."""
    package, _, last = name.rpartition(".")
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # `from . import convert` finds it here; looking it up in sys.modules would load it.
    setattr(sys.modules[package], last, module)


class _OnUse(ModuleType):
    """Stands for a module of that name, which is loaded when something is taken from it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def _import_without(name: str, loading: str) -> None:
    """Imports a module in whose names something on use stands for another that it imports."""
    if loading in sys.modules:
        return
    sys.modules[loading] = _OnUse(loading)
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[loading]


# mkdocs-jupyter loads all of nbconvert for the drawing that this plugin takes over, and jupytext to
# ask it what is kept: half of what a build has to load. This module is imported before it (see the
# order in mkdocs.yml).
_import_on_use("mkdocs_jupyter.convert")
_import_without("mkdocs_jupyter.plugin", loading="jupytext")


class LoomConfig(base.Config):
    """What ``mkdocs.yml`` may say below ``- rnnnotes:``."""

    cache_dir = options.Type(str, default=".cache/rnnnotes")
    report = options.Type(str, default="build/report.json")
    jobs = options.Type(int, default=0)
    time_limit = options.Type((int, float), default=120)
    social_cards = options.Type(bool, default=False)


class LoomPlugin(BasePlugin[LoomConfig]):
    """Runs and weaves pages; publishes a site only when all of it is good."""

    command = "build"

    def __init__(self) -> None:
        self.links = LinkLines()
        self.lock: Lock | None = None
        self.staged: Path | None = None
        self.final: Path | None = None
        self.complete = False
        self.preview: Preview | None = None

    # ---- one build at a time, published whole or not at all ---------------------------------

    def on_startup(self, *, command: str, dirty: bool) -> None:
        self.command = command
        self.preview = Preview() if command == "serve" else None

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        root = Path(config.config_file_path).parent
        os.environ.setdefault("SOURCE_DATE_EPOCH", _commit_time(root))
        self.settings = Settings(
            root=root,
            docs=Path(config.docs_dir),
            cache=root / self.config.cache_dir,
            report=root / self.config.report,
            jobs=self.config.jobs,
            time_limit=self.config.time_limit,
            site_name=config.site_name,
            site_url=config.site_url or "",
            cards_for=config.site_name if self.config.social_cards else "",
        )
        if self.lock is None:
            self.lock = Lock(self.settings.cache, self.settings.report)
        again = anew if self.preview is None else self.preview.again
        self.loom = Loom(self.settings, log.info, again)
        try:
            self.lock.take()
            # Here, and not later: what mkdocs-jupyter answers is kept there too.
            self.loom.cache.check_writable()
        except LoomError as error:
            raise PluginError(str(error)) from None
        _ask_once(config.plugins.get("mkdocs-jupyter"), self.loom.memo)
        if self.command == "build":
            self.final = Path(config.site_dir)
            clear_staged(self.final)
            self.staged = self.final.with_name(f".{self.final.name}.{os.getpid()}")
            config.site_dir = str(self.staged)
            self.complete = False
        return config

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        self.complete = True
        if self.command != "build":
            self._release_lock()

    def on_build_error(self, *, error: Exception) -> None:
        self.complete = False
        self._release_lock()
        if self.staged is not None and isinstance(error, OSError) and self._is_of_site(error):
            self._stop(error)

    def on_shutdown(self) -> None:
        """Strict mode judges after the last hook of a build, so the site is published here."""
        failure = sys.exc_info()[0]
        link_log.removeFilter(self.links)
        try:
            if self.staged is not None and self.complete and failure is None:
                replace_folder(self.staged, self.final)
            elif failure is KeyboardInterrupt:
                log.error("interrupted: the site and the cache are as they were")
        except OSError as error:
            self._stop(error)
        finally:
            if self.staged is not None:
                shutil.rmtree(self.staged, ignore_errors=True)
            self._release_lock()

    def _is_of_site(self, error: OSError) -> bool:
        """Whether what went wrong is that the site cannot be written: a full disk names no file."""
        within = str(error.filename or "").startswith(str(self.staged))
        return within or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

    def _stop(self, error: OSError) -> NoReturn:
        log.error(
            f"the site cannot be written in {self.final.parent}, where a new one needs room beside "
            f"the old: {error}"
        )
        raise Abort("Aborted: the site is as it was") from None

    def _release_lock(self) -> None:
        if self.lock is not None:
            self.lock.release()

    # ---- pages -------------------------------------------------------------------------------

    @event_priority(LAST)
    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        pages = {
            file.src_uri.removesuffix(".md"): file
            for file in files
            if file.src_uri.endswith(".md") and file.abs_src_path and file.inclusion.is_included()
        }
        if "mkdocstrings" in config.plugins:
            signatures.keep_formatted(self.loom.memo)
        self.links.pages = self.loom.pages
        link_log.addFilter(self.links)
        try:
            self.loom.prepare([Path(file.abs_src_path) for file in pages.values()])
            woven = self.loom.woven
            made = self.loom.files()
        except LoomError as error:
            raise PluginError(str(error)) from None
        assert woven.keys() == pages.keys()
        for path, content in made.items():
            files.append(File.generated(config, path, content=content))
        if self.preview is not None:
            self.preview.begin((file.src_uri for file in files), self._around_pages(config))
        return files

    def _around_pages(self, config: MkDocsConfig) -> list[Path]:
        """The files beside its own text that may change how a page comes out."""
        layout = config.theme.custom_dir
        found = [Path(config.config_file_path), *(self.settings.root / "src").rglob("*.py")]
        return [*found, *(Path(layout).rglob("*.html") if layout else ())]

    @event_priority(LAST)
    def on_pre_page(self, page: Page, *, config: MkDocsConfig, files: Files) -> Page:
        # mkdocs-jupyter has put its own drawing on this one page.
        page.__dict__.pop("render", None)
        if self.preview is not None:
            page.render = partial(self.preview.draw, page)
        return page

    def on_env(self, env: Any, *, config: MkDocsConfig, files: Files) -> Any:
        if self.preview is not None:
            self.preview.layouts(env)
            if (search := config.plugins.get("material/search")) is not None:
                self.preview.read_less(search.search_index)
        return env

    @event_priority(100)
    def on_page_markdown(
        self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files
    ) -> str:
        woven = self.loom.woven.get(page.file.src_uri.removesuffix(".md"))
        return markdown if woven is None else woven.markdown

    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        return _with_less_spans(html)

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        parts = _VERBATIM.split(output)
        parts[::2] = [_MARGIN.sub("\n", part) for part in parts[::2]]
        return "".join(parts)

    @event_priority(LAST)
    def on_serve(self, server: Any, *, config: MkDocsConfig, builder: Any) -> Any:
        server.build_delay = 0.02  # MkDocs polls, and sees together what was saved together
        for folder in ("src", "snippets"):
            if (self.settings.root / folder).is_dir():
                server.watch(str(self.settings.root / folder))
        return server


@lru_cache(maxsize=256)  # a preview draws all pages after every save
def _with_less_spans(html: str) -> str:
    return _PLAIN.sub(r"\1", html)


def _ask_once(plugin: Any, memo: Callable[[str, Callable[[], str]], str]) -> None:
    """mkdocs-jupyter parses a page each time that it is asked whether the page is a notebook.

    A quarter of a second for a long page, twice in every build, and jupytext, which it asks, is
    most of what a build has to load. The answer is kept under all that it depends on.
    """
    if plugin is None or "should_include" in vars(plugin):
        return
    parse = plugin.should_include
    about = [
        *(importlib.metadata.version(name) for name in ("mkdocs-jupyter", "jupytext")),
        repr(sorted(plugin.config.items())),
    ]

    def should_include(file: File) -> bool:
        path = Path(file.abs_src_path or "")
        if path.suffix != ".md" or not path.is_file():
            return parse(file)
        source = "\n".join(["is a notebook", *about, str(path), path.read_text("utf-8", "replace")])
        return memo(source, lambda: "yes" if parse(file) else "no") == "yes"

    plugin.should_include = should_include


def _commit_time(root: Path) -> str:
    """The date that the sitemap gives each page: that of the last commit, not that of the build."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "315532800"  # no repository: the first day of 1980, as zip files have it
