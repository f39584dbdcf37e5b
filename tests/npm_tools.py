"""Linters that npm has and pip has not; where they cannot be had, their tests are skipped.

Never at the gate, which requires them.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def missing(why: str) -> None:
    """Ends a test for want of a program, as a failure if the gate runs it."""
    (pytest.fail if os.environ.get("RNNNOTES_GATE") == "1" else pytest.skip)(why)


def install(package: str, folder: Path, undone: str) -> Path:
    """Installs ``name@version`` into a folder, mostly from npm's own cache; returns where it is."""
    if not (shutil.which("npm") and shutil.which("node")):
        missing(f"{undone}: there is no node with npm")
    command = ["npm", "install", "--prefix", str(folder), "--prefer-offline", "--ignore-scripts"]
    done = subprocess.run(
        [*command, package], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        missing(f"{undone}: npm could not fetch {package}")
    return folder / "node_modules" / package.partition("@")[0]
