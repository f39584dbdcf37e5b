"""A small project in a folder of its own, built by the real commands."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
# Every process that a build starts inherits it: it says whose they are, and counts what ran.
LEDGER = "RNNNOTES_TEST_LEDGER"
KERNEL = """\
jupyter:
  jupytext: {text_representation: {extension: .md, format_name: markdown}}
  kernelspec: {display_name: Python 3, language: python, name: python3}
"""
# A block that leaves a mark outside of the project each time it is run.
COUNTED = "import os; print(file=open(os.environ['RNNNOTES_TEST_LEDGER'], 'a'))"


@dataclass(frozen=True)
class Build:
    """How a command ended and what it said."""

    code: int
    text: str

    @property
    def errors(self) -> list[str]:
        """What was said at the level ERROR; a message of several lines is one."""
        out: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("ERROR"):
                out.append(line.split("-", 1)[1].strip())
            elif line.startswith(("INFO", "WARNING", "DEBUG", "Aborted")):
                out.append("")  # ends the message before it
            elif out and out[-1]:
                out[-1] += "\n" + line
        return [message.strip() for message in out if message]

    @property
    def warnings(self) -> list[str]:
        lines = self.text.splitlines()
        return [line.split("-", 1)[1].strip() for line in lines if line.startswith("WARNING")]


class Project:
    """``mkdocs.yml`` as ours but for its pages, ``docs/``, ``src/`` on the path, ``snippets/``."""

    patience = 180  # seconds; the machine may be busy, and no build here takes ten

    def __init__(self, root: Path) -> None:
        self.root = root
        self.docs, self.site = root / "docs", root / "site"
        self.ledger = root.with_name(root.name + ".ledger")

    @classmethod
    def create(cls, root: Path) -> "Project":
        project = cls(root)
        for name in ("docs", "src", "snippets"):
            (root / name).mkdir(parents=True)
        project.configure()
        project.write("docs/index.md", "# Home\n\nNothing runs here.\n")
        return project

    def copy(self, root: Path) -> "Project":
        """The same project elsewhere, with all that it has built and kept."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def configure(self, plugins: list[Any] | None = None, **ours: Any) -> None:
        """Writes mkdocs.yml; ``ours`` are settings of our plugin, if it is not left out."""
        config = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))
        for key in ("nav", "extra_css", "extra_javascript"):
            config.pop(key, None)
        config["theme"].pop("custom_dir", None)
        jupyter = next(p for p in config["plugins"] if "mkdocs-jupyter" in p)
        config["plugins"] = plugins or [{"rnnnotes": ours}, jupyter, "search", "tags"]
        self.write("mkdocs.yml", yaml.safe_dump(config, sort_keys=False))

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return file

    def page(self, name: str, body: str, head: str = "", kernel: str = KERNEL) -> Path:
        """Writes ``docs/NAME.md``; ``head`` is more of its front matter."""
        return self.write(f"docs/{name}.md", f"---\n{head}{kernel}---\n{dedent(body)}")

    def statements(self, *rows: Mapping[str, str]) -> None:
        """Writes docs/statements.yml, from rows of (id, page) and what else they say."""
        known = {"kind": "claim", "says": "Something.", "settle": "Measure it."}
        self.write("docs/statements.yml", yaml.safe_dump([known | row for row in rows]))

    def replace(self, path: str, old: str, new: str) -> None:
        """Edits a file; the text must be there."""
        file = self.root / path
        text = file.read_text("utf-8")
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new), "utf-8")

    def line(self, path: str, needle: str) -> int:
        """The line, from 1, of the first line of a file that holds a text."""
        lines = (self.root / path).read_text("utf-8").splitlines()
        return next(n for n, line in enumerate(lines, 1) if needle in line)

    # ---- building ------------------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        others = ("PYTEST", "PYTHON", "SOURCE_DATE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
        path = os.environ.get("PYTHONPATH", "")
        return {
            **kept,
            "NO_MKDOCS_2_WARNING": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.root / "src"), path])),
            LEDGER: str(self.ledger),
            **more,
        }

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        """Starts a command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, *(command or ("-m", "mkdocs", "build"))],
            cwd=self.root,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Build:
        try:
            out, _ = process.communicate(timeout=self.patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            raise AssertionError(f"still running after {self.patience} s:\n{out}") from None
        return Build(process.returncode, out)

    def build(self, *arguments: str, **env: str) -> Build:
        """``mkdocs build``, whatever comes of it."""
        return self.finish(self.start("-m", "mkdocs", "build", *arguments, **env))

    def built(self, *arguments: str, **env: str) -> dict[str, str]:
        """``mkdocs build``, which must be good: the status of every page."""
        build = self.build(*arguments, **env)
        assert build.code == 0, build.text
        return self.status()

    def weave(self, out: str, **env: str) -> Build:
        """``rnnnotes-weave OUT``."""
        return self.finish(self.start("-m", "rnnnotes.site.command", out, **env))

    # ---- what came of it -----------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        return json.loads((self.root / "build/report.json").read_text("utf-8"))

    def status(self) -> dict[str, str]:
        return {row["page"]: row["status"] for row in self.report()["pages"]}

    def ran(self) -> set[str]:
        """The pages that the last build ran."""
        return {page for page, status in self.status().items() if status == "ran"}

    def counted(self) -> int:
        """How many counted blocks have run, since the project was made."""
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0

    def html(self, page: str) -> str:
        """A built page; ``index`` or ``part/page``."""
        file = self.site / (
            "index.html" if page == "index" else f"{page.removesuffix('/index')}/index.html"
        )
        return file.read_text("utf-8")

    # ---- what must not change, and what must not stay ---------------------------------------

    def processes(self) -> list[str]:
        """Every living process that a command in this project has started, as pid and command."""
        mark = f"{LEDGER}={self.ledger}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                state = (folder / "stat").read_text().rpartition(") ")[2][0]
            except OSError:  # it ended meanwhile
                continue
            if state != "Z":
                found.append(f"{folder.name} {command}")
        return found

    def assert_nothing_left(self) -> None:
        """No process, no half-made site, no half-written file; processes get a moment to end."""
        until(lambda: not self.processes(), 10, lambda: f"left behind: {self.processes()}")
        assert [path.name for path in self.root.glob(".site.*")] == []
        assert [path.name for path in self.root.glob(".cache/**/.writing-*")] == []

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """What was good before is good after: the site byte for byte, the kept pages, no litter."""
        site, kept = tree(self.site), tree(self.root / ".cache/rnnnotes/pages")
        assert site and kept
        yield
        assert tree(self.site) == site
        after = tree(self.root / ".cache/rnnnotes/pages")
        assert {path: after.get(path) for path in kept} == kept
        self.assert_nothing_left()


def until(condition, seconds: float, otherwise) -> None:
    """Waits for a condition, and fails with what ``otherwise`` says."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def machinery(text: str) -> list[str]:
    """The frames of the loom, and of what drives it, in tracebacks that somebody was shown."""
    return re.findall(r'File "[^"]*/(?:rnnnotes/site|mkdocs|nbclient|asyncio|click)/[^"]*"', text)


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its content."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
