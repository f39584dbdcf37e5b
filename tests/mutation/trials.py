"""Which test notices a mutant? A pytest plugin that tries each in a process of its own.

Everything is loaded and collected once. A mutant of a function is tried in a fork, where the
function gets the mutant's code; one outside of functions, which counts when its file is
imported, in a fork from before the package was. A fork runs the tests that reach the changed
statement, quick ones first, and ends with the first that fails.
"""

import functools
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType
from typing import Any

import pytest
from making import REPOSITORY, Mutant

PACKAGE = REPOSITORY / "src" / "rnnnotes"
COLD = "cold"
QUIETLY = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
# Its plugins are loaded before pytest here, and so without better words for their own asserts.
QUIETLY += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
# Seconds that the tests of one mutant may take when all is well; those of its own test files are
# all run. What is left out can only be a catch less.
LONGEST = 15
MOST_MEMORY = 12 << 30


@dataclass
class Baseline:
    """What each test takes, and which lines of which file it reaches."""

    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def tests(self, mutant: Mutant, own: Iterable[str]) -> list[str]:
        """Those that can notice it: of its own test files first, then as long as time allows."""
        own = tuple(own)
        reaching = [
            name
            for name, files in self.reached.items()
            if mutant.file in files
            and (not mutant.lines or not files[mutant.file].isdisjoint(mutant.lines))
        ]
        reaching.sort(key=lambda name: self.seconds[name])
        at_home = [name for name in reaching if name.partition("::")[0] in own]
        chosen, taken = [], 0.0
        for name in dict.fromkeys([*at_home, *reaching]):
            taken += self.seconds[name]
            if chosen and taken > LONGEST and name not in at_home:
                break
            chosen.append(name)
        # Quick ones first, wherever they are from.
        return sorted(chosen, key=lambda name: self.seconds[name])


class Reports:
    """The names of the tests that failed, or could not be collected."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid} (cannot be imported)")


class Only:
    """These tests alone, in this order."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[name] for name in self.names if name in by_name]


class Warm:
    """A session of pytest that collects the tests and then tries mutants instead of running them.

    With ``-s``, so that what it prints is seen; a fork's own output is thrown away.
    """

    def __init__(self, work: Callable[["Warm"], None]) -> None:
        self.work = work
        self.items: dict[str, pytest.Item] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise SystemExit("mutants: a test file cannot be imported")
        self.items = {item.nodeid: item for item in session.items}
        self.work(self)
        return True

    def baseline(self) -> Baseline:
        """What each test takes and reaches, without mutants."""
        found, reports = Baseline(), Reports()
        for name, item in self.items.items():
            reached: dict[str, set[int]] = defaultdict(set)
            item.obj = _traced(item.obj, reached)
            start = time.process_time()
            _run(item, reports)
            found.seconds[name] = time.process_time() - start
            found.reached[name] = dict(reached)
        found.failed = reports.failed
        return found

    def trial(self, mutant: Mutant, names: list[str]) -> str:
        """The name of the test that notices the mutant, or "", or COLD: see :func:`cold_trial`."""
        try:
            code = compile(mutant.source, str(PACKAGE / mutant.file), "exec", dont_inherit=True)
        except SyntaxError:
            return "Python itself"
        if not (mutant.function and _replace(mutant, code)):
            return COLD
        reports = Reports()
        for name in names:
            _run(self.items[name], reports)
            if reports.failed:
                return reports.failed[0]
        return ""


def collect(files: Iterable[str], work: Callable[[Warm], None]) -> None:
    """Calls ``work`` with a session that has collected the tests of these files."""
    code = pytest.main([*QUIETLY, "-s", *files], plugins=[Warm(work)])
    if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(f"mutants: the tests cannot be collected (pytest says {code})")


def cold_trial(mutant: Mutant, names: list[str]) -> str:
    """The same in a process that has not loaded the package: it is imported with the change."""
    target = "rnnnotes." + mutant.file.removesuffix(".py").replace("/", ".")
    plain = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType:
        if fullname == target:
            return compile(mutant.source, loader.path, "exec", dont_inherit=True)
        return plain(loader, fullname)

    assert target not in sys.modules
    SourceFileLoader.get_code = get_code
    reports = Reports()
    files = dict.fromkeys(name.partition("::")[0] for name in names)
    code = pytest.main([*QUIETLY, "-x", *files], plugins=[reports, Only(names)])
    if reports.failed:
        return reports.failed[0]
    return "" if code == 0 else f"pytest itself (exit code {code})"


def in_forks(
    work: Iterable[tuple[Any, Callable[[], Any], float]],
    jobs: int,
    done: Callable[[Any, Any], None],
) -> None:
    """Each in a fork of its own, ``jobs`` at once: (name, function, most seconds of processor).

    ``done`` gets the name and what the function gave, or an exception that tells how it ended.
    """
    waiting, running = iter(work), {}
    while True:
        while len(running) < jobs and (next_one := next(waiting, None)):
            name, function, limit = next_one
            pid, pipe = _fork(function, limit)
            running[pipe] = (pid, name, bytearray(), time.monotonic() + 20 * limit)
        if not running:
            return
        ready, _, _ = select.select(list(running), [], [], 1)
        for pipe in ready:
            pid, name, data, _ = running[pipe]
            if part := os.read(pipe, 1 << 16):
                data += part
                continue
            os.close(pipe)
            del running[pipe]
            _, status = os.waitpid(pid, 0)
            if os.WIFSIGNALED(status):
                late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
                done(name, TimeoutError() if late else OSError(f"signal {os.WTERMSIG(status)}"))
            else:
                done(name, pickle.loads(data) if data else OSError(f"exit {status}"))
        for pid, _, _, deadline in running.values():
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)


def _fork(function: Callable[[], Any], limit: float) -> tuple[int, int]:
    """The process that does it, and the pipe with what it came to."""
    mine, theirs = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, mine
    try:
        os.close(mine)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        try:
            result = function()
        except BaseException as error:
            result = OSError(repr(error))
        with os.fdopen(theirs, "wb") as pipe:
            pickle.dump(result, pipe)
    finally:
        os._exit(0)


def _run(item: pytest.Item, reports: Reports) -> None:
    plugins = item.config.pluginmanager
    if not plugins.is_registered(reports):
        plugins.register(reports)
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def _traced(test: Callable, reached: dict[str, set[int]]) -> Callable:
    """The test, with the lines of the package that it reaches noted down."""
    root = str(PACKAGE) + os.sep

    def enter(frame: Any, event: str, arg: Any) -> Callable | None:
        name = frame.f_code.co_filename
        if not name.startswith(root):
            return None
        lines = reached[name.removeprefix(root)]
        lines.add(frame.f_lineno)

        def line(frame: Any, event: str, arg: Any) -> Callable:
            lines.add(frame.f_lineno)
            return line

        return line

    @functools.wraps(test)
    def traced(*args: Any, **kwargs: Any) -> Any:
        before = sys.gettrace()
        sys.settrace(enter)
        try:
            return test(*args, **kwargs)
        finally:
            sys.settrace(before)

    return traced


def _replace(mutant: Mutant, code: CodeType) -> bool:
    """Give the loaded function the mutant's code; False if the change is not in its code."""
    name = "rnnnotes." + mutant.file.removesuffix(".py").replace("/", ".")
    thing: Any = importlib.import_module(name)
    for part in mutant.function.split("."):
        thing = vars(thing)[part]
    for attribute in ("fget", "func", "__func__", "__wrapped__"):
        thing = getattr(thing, attribute, thing)
    if not isinstance(thing, FunctionType):
        return False
    found = [each for each in _codes(code) if each.co_qualname == mutant.function]
    if len(found) != 1 or found[0] == thing.__code__:
        return False
    if found[0].co_freevars != thing.__code__.co_freevars:
        return False
    thing.__code__ = found[0]
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
