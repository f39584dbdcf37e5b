"""Kernels that start warm: a process that has loaded torch forks one fresh kernel per page.

Loading torch takes seconds, forking takes milliseconds, and a forked kernel shares nothing with
its siblings. The server (``python -m rnnnotes.site.kernel``) speaks JSON lines over a socket that
it inherits: ``{"fork": …}`` starts a kernel and answers with its process id, ``{"poll": id}``
tells its exit status. When the other end closes, for whatever reason, it kills every kernel with
all that the kernel started, and ends.
"""

import contextlib
import ctypes
import importlib
import json
import linecache
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

VALUE_MIME = "application/vnd.rnnnotes.value+json"
VALUE_FUNCTION = "__rnnnotes_value__"
FIGURE_MIME = "image/svg+xml"

# Deprecations inside of other people's packages are not the page's fault; anything else is.
QUIET = (ImportWarning, ResourceWarning, PendingDeprecationWarning, DeprecationWarning)


def serve(control: socket.socket, with_torch: bool) -> None:
    """Answers requests until the other end closes; whether the pages will want torch is told."""
    _adopt_orphans()
    _preload(with_torch)
    children: set[int] = set()
    ended: dict[int, int] = {}
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    requests = control.makefile("r", encoding="utf-8", newline="\n")
    control.sendall(b'{"ready": true}\n')
    try:
        while True:
            ready, _, _ = select.select([control, wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                _reap(children, ended)
            if control not in ready:
                continue
            line = requests.readline()
            if not line:
                return
            request = json.loads(line)
            if "fork" in request:
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    requests.close()
                    control.close()
                    _become_kernel(request["fork"])
                children.add(pid)
                answer: dict[str, Any] = {"pid": pid}
            else:
                _reap(children, ended)
                answer = {"status": ended.get(request["poll"])}
            control.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        _end_all(children)


def _adopt_orphans() -> None:
    """Makes what a kernel leaves behind a child of this process, where the system can."""
    set_child_subreaper = 36
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _end_all(children: set[int]) -> None:
    """Kills every kernel with its group, and then what had left the group, to the last one."""
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    while left := _own_children():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _own_children() -> list[int]:
    found: list[int] = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # that thread has ended
            found += map(int, file.read_text().split())
    return found


def _reap(children: set[int], ended: dict[int, int]) -> None:
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            children.discard(pid)
            ended[pid] = os.waitstatus_to_exitcode(status)
            # What the kernel had started (workers) must not outlive it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


# What nearly every page imports, and what a kernel loads as it starts. Nothing of rnnnotes: a
# page's own imports are traced.
PRELOADED = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "tornado.platform.asyncio",
    "joblib",
    "numpy",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
)
TORCH = (
    "torch",
    "torch._dynamo",  # what the first optimiser of a process loads, for more than a second
)


def _preload(with_torch: bool) -> None:
    import matplotlib

    matplotlib.use("agg")
    for name in PRELOADED + TORCH * with_torch:
        # A module that another version of its package lacks is only not warm.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from matplotlib import font_manager

    # The first use of each loads what every page would load.
    font_manager.findfont("DejaVu Sans")
    if with_torch:
        import torch

        # One thread per page: pages run beside each other, and sums come out the same everywhere.
        torch.set_num_threads(1)
        torch.ones(1, requires_grad=True).sum().backward()


def _become_kernel(job: dict[str, Any]) -> None:
    """Turns the forked child into the kernel of one page; never returns."""
    status = 1
    try:
        os.setsid()
        os.chdir(job["cwd"])
        os.environ.update(job["env"])
        _run_kernel(job)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _run_kernel(job: dict[str, Any]) -> None:
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel", "-f", job["connection_file"]]
    app = IPKernelApp.instance()
    app.initialize(
        [
            "-f",
            job["connection_file"],
            f"--IPKernelApp.parent_handle={os.getppid()}",
            # Nobody asks for it, and it writes to the disk.
            "--HistoryManager.enabled=False",
        ]
    )
    _prepare(app.shell, job["page"], job["text"])
    from rnnnotes.site.trace import trace_opens

    trace_opens.install()
    # This server is itself a module of rnnnotes: a page must import its own, traced, copies.
    for name in [name for name in sys.modules if name.split(".")[0] == "rnnnotes"]:
        del sys.modules[name]
    app.start()


def _prepare(shell: Any, page: str, text: str) -> None:
    """Makes tracebacks name the page and its lines, figures come out as SVG, warnings raise."""
    from IPython.core.inputtransformer2 import leading_empty_lines

    lines = [line + "\n" for line in text.split("\n")]
    linecache.cache[page] = (len(text), None, lines, page)
    # A block is sent with as many empty lines in front as stand above it in the page.
    shell.compile.cache = lambda code, number=0, raw_code=None: page
    manager = shell.input_transformer_manager
    manager.cleanup_transforms = [
        step for step in manager.cleanup_transforms if step is not leading_empty_lines
    ]
    show = shell._showtraceback
    shell._showtraceback = lambda kind, error, _: show(kind, error, _plain_traceback(error, page))
    shell.user_ns[VALUE_FUNCTION] = _show_value
    shell.events.register("post_run_cell", _Figures(page))
    warnings_raise()


def warnings_raise() -> None:
    """Makes a warning stop the block that caused it, here and in the doc tests."""
    warnings.resetwarnings()
    warnings.simplefilter("error")
    for kind in QUIET:
        warnings.simplefilter("ignore", kind)
    warnings.filterwarnings("error", category=DeprecationWarning, module="__main__")


def _plain_traceback(error: BaseException, page: str) -> list[str]:
    """The traceback from the page's own first frame on, without colours."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != page:
        frames = frames.tb_next
    return traceback.format_exception(type(error), error, frames)


def _show_value(value: Any) -> None:
    """Sends what ``{python} expr`` came to."""
    from IPython.display import publish_display_data

    publish_display_data({VALUE_MIME: {"text": str(value)}, "text/plain": str(value)})


class _Figures:
    """Sends every open figure as SVG when a block has ended, and closes it."""

    def __init__(self, page: str) -> None:
        self.page, self.count = page, 0

    def __call__(self, result: Any) -> None:
        import io

        import matplotlib.pyplot as plt
        from IPython.display import publish_display_data

        try:
            if result.error_before_exec or result.error_in_exec:
                return
            for figure in map(plt.figure, plt.get_fignums()):
                self.count += 1
                svg = io.StringIO()
                with plt.rc_context(
                    # Text stays text, and ids depend on nothing but the figure's place.
                    {"svg.fonttype": "none", "svg.hashsalt": f"{self.page}-{self.count}"}
                ):
                    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
                publish_display_data({FIGURE_MIME: svg.getvalue()})
        finally:
            plt.close("all")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(socket.socket(fileno=int(sys.argv[1])), "torch" in sys.argv[3:])
    finally:
        # Whoever made the folder removes it too, unless it was killed.
        shutil.rmtree(sys.argv[2], ignore_errors=True)
