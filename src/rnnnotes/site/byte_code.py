"""Byte code that belongs to its source by content.

Python takes byte code for that of a source whose time of change, in whole seconds, and length are
those that the byte code names. With a clock that is set back, or a tool that keeps times, an edited
module can have both, and a page would then run the old one. Byte code can name the hash of its
source instead, which Python compares as well.
"""

import contextlib
import importlib.util
import py_compile
from pathlib import Path


def go_by_content(folder: Path) -> None:
    """Compiles anew what byte code below a folder goes by the time; costs nothing the next time."""
    for file in folder.rglob("__pycache__/*.pyc"):
        # A file that cannot be read or written, a source that is gone, or is no Python.
        with contextlib.suppress(OSError, ValueError, py_compile.PyCompileError):
            with file.open("rb") as opened:
                if opened.read(8)[4:] != bytes(4):  # PEP 552: zero flags go by the time
                    continue
            file.unlink()
            py_compile.compile(
                importlib.util.source_from_cache(file),
                str(file),
                doraise=True,
                optimize=_optimized(file),
                invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
            )


def _optimized(file: Path) -> int:
    """The level of ``name.cpython-311.opt-2.pyc``."""
    return int(file.stem.rpartition(".opt-")[2]) if ".opt-" in file.stem else 0
