"""What several test files share: the project's own site, and a browser; and the order of tests.

The suite may run in several processes of pytest-xdist, and needs none.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONG = ("slow", "browser")
# Trials of minutes each, for `make proof` and the weekly workflow.
collect_ignore = ["proof"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# One thread for torch and numpy, before they are loaded: as on the pages, and two workers of
# pytest-xdist do not take the cores from each other.
os.environ["OMP_NUM_THREADS"] = "1"

# Tests press Ctrl-C, which a process ignores that was started in the background of a script.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no worker is left with a long one at the end.

    One that asks for the site leads and has it built; the others that do follow late, so that no
    second worker only waits for the build.
    """
    slow = {item.path for item in items for mark in item.iter_markers() if mark.name in LONG}
    asking = list(dict.fromkeys(item.path for item in items if "site" in item.fixturenames))

    def place(item):
        if item.path in asking:
            return 0 if item.path == asking[0] else 2
        return 1 if item.path in slow else 3

    items.sort(key=place)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The project's own site, built from what is in the tree; kept pages are not run again.

    Workers share one: who comes first builds it, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    out = folder / "our-site"
    with open(folder / "our-site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            _build(out)
    return out


def _build(out):
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def chromium():
    """A real browser; without one these tests are skipped, but never at the gate."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        if os.environ.get("RNNNOTES_GATE"):
            pytest.fail("no Chromium on this machine, and the gate requires one")
        pytest.skip("no Chromium on this machine: install it to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
