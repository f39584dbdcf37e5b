"""How long a writer waits: from saving a page to seeing it in the preview."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from measure import Row, seconds
from whole_project import WholeProject


def rows(project: WholeProject, repeats: int) -> list[Row]:
    """Edits prose of the first page, again and again; the project must be built."""
    page = project.pages[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "serve", "--dev-addr", address],
            cwd=project.root,
            env=project.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            # The preview keeps the path of the site's own address.
            url = f"http://{address}/rnnnotes/{page.name}/"
            _wait_for(url, "<title>", server, log)
            taken = []
            for turn in range(repeats):
                time.sleep(1)  # as a writer pauses; the server rests
                words = f"Edited for the time number {turn}."
                file = project.root / page.path
                file.write_text(file.read_text("utf-8") + f"\n{words}\n", "utf-8")
                taken.append(seconds(lambda words=words: _wait_for(url, words, server, log)))
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(30)
    return [Row("prose edited until the preview shows it", taken, 2, "s")]


def _wait_for(url: str, words: str, server: subprocess.Popen, log) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as page:
                if words in page.read().decode():
                    return
        except OSError:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            raise SystemExit(f"bench: the preview does not show the page:\n{log.read().decode()}")
        time.sleep(0.02)
