"""A folder that is replaced whole: a reader finds the old one or the new one, never a part."""

import contextlib
import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2


def replace_folder(new: Path, old: Path) -> None:
    """Puts ``new`` in the place of ``old``; the former content of ``old`` is removed."""
    if not old.exists():
        new.rename(old)
        return
    if not _exchange(new, old):
        # Without the system call there is a moment with no folder; `clear_staged` mends a
        # build that is killed in it.
        aside = old.with_name(f".{old.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        old.rename(aside)
        new.rename(old)
        new = aside
    shutil.rmtree(new, ignore_errors=True)


def clear_staged(old: Path) -> None:
    """Brings back a folder that a killed build had put aside, and removes what it had staged."""
    aside = old.with_name(f".{old.name}.old")
    if aside.exists() and not old.exists():
        aside.rename(old)
    for left in old.parent.glob(f".{old.name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two folders in one step, where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        names = (os.fsencode(one), os.fsencode(other))
        return libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0
    return False
