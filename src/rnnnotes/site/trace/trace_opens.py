"""Writes down which files of the project a Python process opens.

It stands alone and imports only the standard library: it runs in the kernel of a page, and in
every Python that the page starts (joblib's workers), where ``sitecustomize`` installs it.
"""

import contextlib
import os
import sys

FOLDER = "RNNNOTES_TRACE_FOLDER"
FILE = "RNNNOTES_TRACE_FILE"
# Stands for the trace, under this ending, when a line could not be written.
LOST = ".lost"
# What imports, or asks for a package's version, lists every folder that packages may be in, the
# page's own too: not a page's reading.
SEARCHES = (
    "<frozen importlib",
    os.path.join(os.path.dirname(os.__file__), "importlib", "metadata"),
)


def install() -> None:
    """Starts to append to ``$RNNNOTES_TRACE_FILE`` each path below ``$RNNNOTES_TRACE_FOLDER``
    that is opened for reading, and each folder listed."""
    folder = os.environ[FOLDER] + os.sep
    # The same folder as the system names it, should a link lead to the project.
    real = os.path.realpath(os.environ[FOLDER]) + os.sep
    trace = os.environ[FILE]
    out = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    seen = set()

    def write(line: bytes) -> None:
        # An error raised here would end in the page, which may well pass over it. A new name
        # takes no space on a full disk, and whoever started the page looks for it.
        with contextlib.suppress(OSError):
            if os.write(out, line) == len(line):
                return
        with contextlib.suppress(FileNotFoundError):  # another process was first
            os.rename(trace, trace + LOST)

    def note(kind: str, path: object) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return
        path = os.path.abspath(path)
        if path.startswith(real):
            path = folder + path[len(real) :]
        if path.startswith(folder) and (kind, path) not in seen:
            seen.add((kind, path))
            write(f"{kind} {path}\n".encode())

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (flags or 0) & (os.O_WRONLY | os.O_RDWR):
                note("file", path)
        elif event in ("os.listdir", "os.scandir"):
            caller = sys._getframe(1).f_code.co_filename
            if not caller.startswith(SEARCHES):
                note("folder", arguments[0] or ".")

    sys.addaudithook(hook)
