"""Runs pages: a fresh kernel for each, several beside each other.

Blocks in, outputs out (plain JSON data, as nbformat has them). A fault becomes a ``PageError``
with the line in the page.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from rnnnotes.site.blocks import PageSource
from rnnnotes.site.errors import LoomError, PageError
from rnnnotes.site.kernel import VALUE_FUNCTION, VALUE_MIME
from rnnnotes.site.room import check_room
from rnnnotes.site.trace import trace_opens

# Pages are the unit of parallel work; what a library would start on its own only gets in the way.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "NO_COLOR": "1",
}
# A kernel that has not answered after so many seconds will not.
STARTS_IN = 60
# jupyter_client measures this one by the time of day, which may jump: it is never to be reached.
NEVER = 10**10
# As a terminal shows it, the last of what was written over one line stays.
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]{6,}")
# A block that ends with a plotting call returns what it drew; the figure says that better.
_DRAWN = re.compile(r"^(<matplotlib|\[<matplotlib|<Axes|\[<Axes|<Figure|Text\(|array\(\[+<Axes)")


@dataclass
class Run:
    """What came out of running a page once."""

    outputs: list[list[dict[str, Any]]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def run_pages(
    pages: Sequence[PageSource],
    root: Path,
    jobs: int,
    workers: int,
    time_limit: float,
    done: Callable[[PageSource, Run | Exception], None],
) -> None:
    """Runs the pages, at most ``jobs`` at a time, and calls ``done`` as each one ends.

    Args:
        root: the project; pages run in their own folder, as in Jupyter.
        workers: how many processors joblib may count inside of one page.
        time_limit: seconds for one block, unless the page's front matter says otherwise.
        done: gets the page and either its ``Run`` or the error that stopped it.
    """
    if pages:
        asyncio.run(_run_pages(pages, root, jobs, workers, time_limit, done))


async def _run_pages(pages, root, jobs, workers, time_limit, done) -> None:
    with tempfile.TemporaryDirectory(prefix="rnnnotes-") as scratch:
        check_room(Path(scratch), "the temporary folder")
        # Loading torch takes seconds: not for pages that do without.
        with_torch = any("torch" in block.source for page in pages for block in page.blocks)
        server = _Server(Path(scratch), root, workers, with_torch)
        try:
            await asyncio.to_thread(server.wait_until_ready)
            gate = asyncio.Semaphore(jobs)

            async def one(number: int, page: PageSource) -> None:
                async with gate:
                    try:
                        outcome = await _run_page(page, number, server, root, time_limit)
                    except Exception as error:
                        outcome = error
                    done(page, outcome)

            await asyncio.gather(*(one(number, page) for number, page in enumerate(pages)))
        finally:
            server.stop()


class _Server:
    """The warm process that forks kernels, and how to talk to it."""

    def __init__(self, scratch: Path, root: Path, workers: int, with_torch: bool) -> None:
        self.scratch, self.root = scratch, root
        ours, theirs = socket.socketpair()
        path = [str(Path(trace_opens.__file__).parent), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            **ONE_THREAD,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            # joblib counts this many processors: a page run alone may use them all.
            "LOKY_MAX_CPU_COUNT": str(workers),
            # Byte code stands beside its source, by which a trace tells what was imported.
            "PYTHONPYCACHEPREFIX": "",
            trace_opens.FOLDER: str(root),
            "IPYTHONDIR": str(scratch / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(scratch),
            "MPLBACKEND": "agg",
        }
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-Xfrozen_modules=off",
                    "-m",
                    "rnnnotes.site.kernel",
                    str(theirs.fileno()),
                    str(scratch),
                    *(["torch"] if with_torch else []),
                ],
                pass_fds=[theirs.fileno()],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                # Ctrl-C goes to the build, which then ends the server with all its kernels.
                start_new_session=True,
            )
        self.control = ours
        self.ready = False
        self.answers = ours.makefile("r", encoding="utf-8", newline="\n")

    def wait_until_ready(self) -> None:
        if not self.answers.readline():
            status = self.process.wait()
            raise LoomError(
                f"the process that starts kernels ended with status {status}: see above"
            )
        self.ready = True

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.control.sendall(json.dumps(request).encode() + b"\n")
        line = self.answers.readline()
        if not line:
            raise LoomError("the process that starts kernels has ended")
        return json.loads(line)

    def stop(self) -> None:
        """Closing the socket is the sign to kill all kernels and end."""
        if not self.ready:  # it has no kernel yet, and would first load all it wants
            self.process.kill()
        self.answers.close()
        self.control.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Forked(KernelProvisionerBase):
    """Lets jupyter_client drive a kernel that the server has forked."""

    server: _Server
    job: dict[str, Any]
    pid: int | None = None

    @property
    def has_process(self) -> bool:
        return self.pid is not None

    async def launch_kernel(self, cmd: list[str], **_: Any) -> dict[str, Any]:
        manager = self.parent
        self.job["connection_file"] = manager.connection_file
        self.pid = self.server.ask({"fork": self.job})["pid"]
        return manager.get_connection_info()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager = self.parent
        manager.cache_ports = False
        manager.write_connection_file()
        return await super().pre_launch(cmd=[], **kwargs)

    async def poll(self) -> int | None:
        return 0 if self.pid is None else self.server.ask({"poll": self.pid})["status"]

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.02)
        self.pid = None
        return status

    async def send_signal(self, signum: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        pass


async def _run_page(
    page: PageSource, number: int, server: _Server, root: Path, time_limit: float
) -> Run:
    started = time.monotonic()
    trace = server.scratch / f"trace-{number}"
    manager = AsyncKernelManager(
        kernel_name="python3",
        transport="ipc",
        ip=str(server.scratch / f"kernel-{number}"),
        connection_file=str(server.scratch / f"kernel-{number}.json"),
    )
    provisioner = _Forked(kernel_id=page.name, kernel_spec=manager.kernel_spec, parent=manager)
    provisioner.server = server
    provisioner.job = {
        "cwd": str((root / page.path).parent),
        # The kernel ends by itself should the server be killed.
        "env": {trace_opens.FILE: str(trace), "JPY_PARENT_PID": str(server.process.pid)},
        "page": page.path,
        "text": page.text,
    }
    manager.provisioner = provisioner
    cells = [
        nbformat.v4.new_code_cell("\n" * (block.line - 1) + block.source) for block in page.blocks
    ]
    cells += [
        nbformat.v4.new_code_cell("\n" * (v.line - 1) + f"{VALUE_FUNCTION}(({v.code}\n))")
        for v in page.values
    ]
    cells.append(nbformat.v4.new_code_cell(_SUMMARY))
    lines = [block.line for block in page.blocks] + [value.line for value in page.values] + [1]
    limit = page.setting("time_limit", time_limit)
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        km=manager,
        timeout=limit,
        startup_timeout=NEVER,
        iopub_timeout=30,
    )
    try:
        await _start(client, page, lines[0], server.scratch)
        for index, (cell, line) in enumerate(zip(cells, lines, strict=True)):
            await _run_cell(client, cell, index, page, line, limit, provisioner)
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        await provisioner.kill()
        if provisioner.has_process:
            await provisioner.wait()
        manager.cleanup_connection_file()
    if Path(f"{trace}{trace_opens.LOST}").exists():
        raise PageError(
            page.path,
            lines[0],
            "which files the page reads cannot be written down in the temporary folder "
            f"{server.scratch}: is there space?",
        )
    return _collect(page, cells, trace, time.monotonic() - started)


async def _start(client: NotebookClient, page: PageSource, line: int, scratch: Path) -> None:
    try:
        await client.async_start_new_kernel()
        await asyncio.wait_for(client.async_start_new_kernel_client(), STARTS_IN)
    except TimeoutError:
        raise PageError(
            page.path, line, f"the kernel of this page did not answer within {STARTS_IN} s"
        ) from None
    except (OSError, RuntimeError) as error:
        raise PageError(
            page.path,
            line,
            f"the kernel of this page did not start, with its files in {scratch}: {error}",
        ) from None


# What the page has imported, and the processor time that it and its workers took: those that have
# ended, and those that wait for more work, as joblib's do. ipykernel brings psutil.
_SUMMARY = f"""
import contextlib as _contextlib, json as _json, resource as _resource, sys as _sys
_modules = sorted({{name.partition(".")[0] for name in _sys.modules}})
import psutil as _psutil
_times = [sum(_resource.getrusage(who)[:2])
          for who in (_resource.RUSAGE_SELF, _resource.RUSAGE_CHILDREN)]
for _worker in _psutil.Process().children(recursive=True):
    with _contextlib.suppress(_psutil.Error):
        _times.append(sum(_worker.cpu_times()[:4]))
{VALUE_FUNCTION}(_json.dumps({{"modules": _modules, "cpu": sum(_times)}}))
"""


async def _run_cell(client, cell, index, page, line, limit, provisioner) -> None:
    try:
        await client.async_execute_cell(cell, index)
    except CellTimeoutError:
        raise PageError(
            page.path, line, f"this block ran for more than {limit:g} s", _excerpt(cell.source)
        ) from None
    except DeadKernelError:
        status = await provisioner.poll()
        how = f"with status {status}" if status is None or status >= 0 else _signal_name(-status)
        raise PageError(
            page.path, line, f"the kernel died ({how}) in this block", _excerpt(cell.source)
        ) from None
    except CellExecutionError:
        output = next(out for out in cell.outputs if out.output_type == "error")
        raise _page_error(page, line, output) from None
    cell.outputs = _joined(cell.outputs)
    for output in cell.outputs:
        if output.output_type == "error":  # the block ended well, and its figure cannot be drawn
            raise _page_error(page, line, output)
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise PageError(page.path, line, "this block wrote to stderr", output.text.rstrip())
        for text in (output.get("text", ""), output.get("data", {}).get("text/plain", "")):
            address = None if _is_drawn(output) else _ADDRESS.search(text)
            if address:
                raise PageError(
                    page.path,
                    line,
                    "the output holds a memory address, which differs at every build: "
                    f"{address[0]}…",
                )


def _joined(outputs: list[Any]) -> list[Any]:
    """All prints of a block as one: how they are cut into messages depends on the clock.

    nbclient does this too, in a time that grows with the square of a line's length.
    """
    streams: dict[str, Any] = {}
    joined = []
    for output in outputs:
        if output.output_type != "stream":
            joined.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            streams[output.name] = output
            joined.append(output)
    for stream in streams.values():
        stream.text = _OVERWRITTEN.sub("", stream.text)
    return joined


def _is_drawn(output: Any) -> bool:
    data = output.get("data", {})
    return set(data) == {"text/plain"} and bool(_DRAWN.match(data["text/plain"]))


def _signal_name(number: int) -> str:
    return f"killed by {signal.Signals(number).name}"


def _page_error(page: PageSource, line: int, output: Any) -> PageError:
    """The deepest line of the page in the traceback; else the block's first."""
    text = "".join(output.traceback)
    lines = re.findall(rf'File "{re.escape(page.path)}", line (\d+)', text)
    tail = text.rstrip().split("\n")[-12:]
    return PageError(
        page.path,
        int(lines[-1]) if lines else line,
        f"{output.ename}: {output.evalue}",
        "\n".join(tail),
    )


def _excerpt(source: str, most: int = 6) -> str:
    lines = source.strip("\n").split("\n")
    return "\n".join(lines[:most] + (["…"] if len(lines) > most else []))


def _collect(page: PageSource, cells: list[Any], trace: Path, seconds: float) -> Run:
    count = len(page.blocks)
    summary = json.loads(_value(cells[-1]))
    run = Run(seconds=seconds, cpu_seconds=summary["cpu"])
    run.outputs = [
        [json.loads(json.dumps(output)) for output in cell.outputs if not _is_drawn(output)]
        for cell in cells[:count]
    ]
    run.values = {
        value.code: _value(cell) for value, cell in zip(page.values, cells[count:-1], strict=True)
    }
    run.files, run.folders = _read_trace(trace.read_text("utf-8"))
    run.packages = summary["modules"]
    return run


def _read_trace(text: str) -> tuple[list[str], list[str]]:
    """The project's files and folders that were read: sources for byte code, no installed ones."""
    seen: dict[str, set[str]] = {"file": set(), "folder": set()}
    for entry in text.splitlines():
        kind, _, path = entry.partition(" ")
        if path.startswith(sys.prefix + os.sep) or "site-packages" in path:
            continue
        if path.endswith(".pyc"):
            with contextlib.suppress(ValueError):
                path = importlib.util.source_from_cache(path)
        if "__pycache__" not in path:
            seen[kind].add(path)
    return sorted(seen["file"]), sorted(seen["folder"])


def _value(cell: Any) -> str:
    return next(out.data[VALUE_MIME]["text"] for out in cell.outputs if VALUE_MIME in out.data)
