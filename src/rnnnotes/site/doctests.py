"""The blocks of pages as tests: ``pytest --markdown-docs docs README.md``.

Each block is one test, named ``page.md:line`` after its first line; the values computed in prose
are one more, ``page.md:values``. ``blocks`` says what a block is and ``kernel`` how strict it is;
pytest-markdown-docs lends the option and the test item.

A page has a namespace of its own, and a block runs in it once, after all blocks above it: those
run first when a test is run alone. Once a block has failed, the tests below it fail unrun.
"""

import ast
import contextlib
import io
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from pytest_markdown_docs._runners import register_runner
from pytest_markdown_docs.definitions import FenceTestDefinition
from pytest_markdown_docs.plugin import (
    MarkdownDocstringCodeModule,
    MarkdownInlinePythonItem,
    MarkdownTextFile,
)

from rnnnotes.site.blocks import Fence, PageSource, read_page
from rnnnotes.site.errors import LoomError, PageError
from rnnnotes.site.kernel import warnings_raise

# What Jupyter asks the last expression of a block for, beside its repr.
REPRS = ("mimebundle", "html", "markdown", "svg", "png", "jpeg", "latex", "json", "javascript")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.markdowndocs:
        from rnnnotes.site.execute import ONE_THREAD

        set_ = pytest.MonkeyPatch()
        config.add_cleanup(set_.undo)
        for name, value in (ONE_THREAD | {"MPLBACKEND": "agg"}).items():
            set_.setenv(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator:
    """Markdown files are read by our own grammar, and no others hold blocks."""
    theirs = (MarkdownTextFile, MarkdownDocstringCodeModule)
    found = [collector for collector in (yield) if not isinstance(collector, theirs)]
    if parent.config.option.markdowndocs and file_path.suffix == ".md":
        found.append(PageFile.from_parent(parent, path=file_path))
    return found


@dataclass(frozen=True)
class Check(FenceTestDefinition):
    """A test as the plugin hands it to its runner, and what is to be done."""

    page: str = field(kw_only=True)
    run: Callable[[], None] = field(kw_only=True)
    printed: io.StringIO = field(default_factory=io.StringIO, kw_only=True)


class BlockItem(MarkdownInlinePythonItem):
    """A test of the plugin, announced by its place and not by a dotted name."""

    def reportinfo(self) -> tuple[Path, int, str]:
        folder = self.path.parent.relative_to(self.config.rootpath)
        return self.path, self.start_line, f"block {(folder / self.name).as_posix()}"


class PageFile(MarkdownTextFile):
    """A page; what is wrong with how it is written is a failing test of its own."""

    def collect(self) -> Iterator[BlockItem]:
        root, docs = self.config.rootpath, self.config.rootpath / "docs"
        try:
            page = read_page(self.path, docs if self.path.is_relative_to(docs) else root, root)
        except LoomError as error:
            yield self._item(str(error.line), "", error.line, partial(_fail, error))
            return
        running = RunningPage(page, self.path)
        steps = [(str(block.line), block.source, block.line) for block in page.blocks]
        if page.values:
            code = "\n".join(value.code for value in page.values)
            steps.append(("values", code, page.values[0].line))
        for number, (name, source, line) in enumerate(steps):
            yield self._item(name, source, line, partial(running.test, number), running.printed)

    def _item(self, name, source, line, run, printed=None) -> BlockItem:
        check = Check(
            source,
            fixture_names=(),
            start_line=line - 1,
            source_path=self.path,
            runner_name=Runner.__name__,
            page=self.path.relative_to(self.config.rootpath).as_posix(),
            run=run,
            printed=printed or io.StringIO(),
        )
        return BlockItem.from_parent(self, name=f"{self.path.name}:{name}", test_definition=check)


def _fail(error: LoomError) -> None:
    raise error


@register_runner()
class Runner:
    """Does what a check says, and tells a failure by the lines of the page."""

    def runtest(self, test: Check, args: object, *, asyncio_runner: object = None) -> None:
        test.run()

    def repr_failure(self, test: Check, excinfo: pytest.ExceptionInfo, style: object = None) -> str:
        error, printed = excinfo.value, test.printed.getvalue()
        if isinstance(error, (LoomError, NotRun)):
            return str(error)
        frames = _page_frames(error, test.source_path)
        text = "".join(traceback.format_exception(type(error), error, frames))
        told = f"{_headline(error, test.source_path, test.page, test.start_line + 1)}\n\n{text}"
        return f"{told}\nprinted by the block:\n{printed}" if printed else told


class NotRun(Exception):
    """A block above has failed."""


def _page_frames(error: BaseException, file: Path) -> types.TracebackType | None:
    """The traceback from the page's own first frame on."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != str(file):
        frames = frames.tb_next
    return frames


def _headline(error: BaseException, file: Path, page: str, line: int) -> str:
    """``docs/x.md:41: NameError: …``: the deepest line of the page that there is, else ``line``."""
    if isinstance(error, LoomError):
        return str(error).split("\n")[0]
    if isinstance(error, SyntaxError) and error.filename == str(file):
        line = error.lineno or line
    for frame, at in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == str(file):
            line = at
    return f"{page}:{line}: {type(error).__name__}: {error}".split("\n")[0]


class RunningPage:
    """A page in mid-run.

    Args:
        page: its blocks are run in order; then its values are computed.
        file: the page on disk: its folder is the working folder, tracebacks show its lines.
    """

    def __init__(self, page: PageSource, file: Path) -> None:
        self.page, self.file = page, file
        # Pickling, dataclasses and the filters of warnings know the page as a notebook's module.
        self.module = types.ModuleType("__main__")
        self.filters: list | None = None
        self.printed, self.complaints = io.StringIO(), io.StringIO()
        self.steps = [partial(self._run_block, block) for block in page.blocks]
        self.steps.append(self._compute_values)
        self.ran = 0
        self.failed: BaseException | None = None

    def test(self, number: int) -> None:
        """Runs what has not run up to a step; raises what that step raised, now or before."""
        while self.ran <= number and self.failed is None:
            if self.ran == 0:
                _start_fresh()
            try:
                with self._inside():
                    self.steps[self.ran]()
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.failed = error
            self.ran += 1
        if self.failed is None:
            return
        if number == self.ran - 1:
            raise self.failed
        if number >= self.ran:
            line = self.page.blocks[self.ran - 1].line
            told = _headline(self.failed, self.file, self.page.path, line)
            raise NotRun(f"not run, for a block above failed: {told}")

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """The page's folder, its ``__main__``, its filters of warnings; what it prints is kept."""
        for stream in (self.printed, self.complaints):
            stream.seek(0)
            stream.truncate()
        main = sys.modules["__main__"]
        with (
            contextlib.chdir(self.file.parent),
            contextlib.redirect_stdout(self.printed),
            contextlib.redirect_stderr(self.complaints),
            warnings.catch_warnings(),
        ):
            if self.filters is None:
                warnings_raise()
            else:
                warnings.resetwarnings()
                warnings.filters.extend(self.filters)
            sys.modules["__main__"] = self.module
            try:
                yield
            finally:
                sys.modules["__main__"] = main
                self.filters = list(warnings.filters)
                _close_figures()

    def _run_block(self, block: Fence) -> None:
        tree = ast.parse("\n" * (block.line - 1) + block.source, str(self.file))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        namespace = vars(self.module)
        exec(compile(tree, str(self.file), "exec", dont_inherit=True), namespace)
        if last is not None:
            expression = ast.Expression(last.value)
            value = eval(compile(expression, str(self.file), "eval", dont_inherit=True), namespace)
            if not block.source.rstrip().endswith(";"):
                _show(value)
        _draw_figures()
        if complaints := self.complaints.getvalue().rstrip():
            raise PageError(self.page.path, block.line, "this block wrote to stderr", complaints)

    def _compute_values(self) -> None:
        for value in self.page.values:
            try:
                str(eval(f"({value.code}\n)", vars(self.module)))
            except Exception as error:
                message = f"{type(error).__name__}: {error}, in the value {value.code}"
                raise PageError(self.page.path, value.line, message) from error


def _start_fresh() -> None:
    """Threads, defaults and style as in the fresh process that the site gives to every page."""
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rcdefaults()
        sys.modules["matplotlib"].use("agg")


def _show(value: object) -> None:
    """Asks for all that Jupyter asks the value of a last expression for."""
    if value is None:
        return
    for name in REPRS:
        method = getattr(type(value), f"_repr_{name}_", None)
        if callable(method):
            method(value)
    repr(value)


def _draw_figures() -> None:
    """Draws every open figure as the site does: what is wrong with one shows only then."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    for number in pyplot.get_fignums() if pyplot else ():
        with pyplot.rc_context({"svg.fonttype": "none"}):
            pyplot.figure(number).savefig(io.BytesIO(), format="svg")


def _close_figures() -> None:
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
