"""Ours beside four other tools that run documentation, on the same six pages.

The others live in an environment of their own, ``.cache/peers``, made from ``peers.txt`` when it
is missing or when that file has changed. Each tool gets the settings that suit it best: its cache
where it has one, as many processes as it can use, and none of ours.
"""

import contextlib
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import translate
from measure import Row, seconds
from whole_project import REPOSITORY, Project

from rnnnotes.site.blocks import PageSource, parse_page, read_page

HERE = Path(__file__).parent
CORPUS, PINS = HERE / "corpus", HERE / "peers.txt"
MODULE = CORPUS / "horizons.py"
VENV = REPOSITORY / ".cache" / "peers"
OURS = "rnnnotes"
ACTIONS = ("cold build", "nothing changed", "prose edited", "block edited")
EDITED = "gates"  # the page that is edited, and that imports the module

MKDOCS = """\
site_name: Corpus
site_url: https://example.org/
strict: true
theme: {{name: material, font: false}}
markdown_extensions: [pymdownx.highlight, pymdownx.superfences]
plugins: [search, {plugin}]
"""
SPHINX = """\
project = "Corpus"
extensions = ["{extension}"]
"""
# Its cache is made before the pages are read: two processes that make it at once fail now and then
# ("table settings already exists").
MYST = """\
from pathlib import Path
from jupyter_cache import get_cache
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_cache_path = str(Path(__file__).resolve().parents[1] / ".kept")
get_cache(nb_execution_cache_path).db
"""
GALLERY = """\
sphinx_gallery_conf = {
    "examples_dirs": "examples", "gallery_dirs": "pages", "filename_pattern": "/", "parallel": True,
}
"""


def versions() -> dict[str, str]:
    """What ``peers.txt`` pins."""
    lines = [line for line in PINS.read_text("utf-8").splitlines() if "==" in line]
    return {f"{name} (of the others)": at for name, at in (line.split("==") for line in lines)}


class Void(Exception):
    """A tool that cannot be installed or run here: its row says so."""


@dataclass(frozen=True)
class Tool:
    """How one tool is fed and run; paths are relative to its project."""

    name: str
    form: Callable[[PageSource], str]
    source: str  # where it reads a page
    page: str  # where it writes it
    fixed: dict[str, str]
    command: tuple[str, ...]
    figure: str  # as a regular expression, in the page
    environment: Mapping[str, str] = field(default_factory=dict)


_SPHINX_BUILD = ("sphinx-build", "-q", "-j", "auto", "source", "site")
PEERS = (
    Tool(
        "mkdocs-jupyter",
        translate.notebook,
        "docs/{}.md",
        "site/{}/index.html",
        {
            "docs/index.md": "# Corpus\n",
            "mkdocs.yml": MKDOCS.format(
                plugin='mkdocs-jupyter: {include: ["*.md"], execute: true, cache: true, '
                "allow_errors: false}"
            ),
        },
        ("mkdocs", "build"),
        r"<img[^>]+src=\"data:image/png",
    ),
    Tool(
        "markdown-exec",
        translate.markdown_exec,
        "docs/{}.md",
        "site/{}/index.html",
        {"docs/index.md": "# Corpus\n", "mkdocs.yml": MKDOCS.format(plugin="markdown-exec")},
        ("mkdocs", "build"),
        r"<svg[^>]+xmlns:xlink",
        {"MPLBACKEND": "agg"},
    ),
    Tool(
        "MyST-NB",
        translate.myst,
        "source/{}.md",
        "site/{}.html",
        {
            "source/index.md": "# Corpus\n\n```{toctree}\n:glob:\n*\n```\n",
            "source/conf.py": SPHINX.format(extension="myst_nb") + MYST,
        },
        _SPHINX_BUILD,
        r"<img[^>]+src=\"_images/[0-9a-f]+\.png",
    ),
    Tool(
        "sphinx-gallery",
        translate.gallery,
        "source/examples/{}.py",
        "site/pages/{}.html",
        {
            "source/index.rst": "Corpus\n======\n\n.. toctree::\n\n   pages/index\n",
            "source/examples/GALLERY_HEADER.rst": "Pages\n=====\n",
            "source/conf.py": SPHINX.format(extension="sphinx_gallery.gen_gallery") + GALLERY,
        },
        _SPHINX_BUILD,
        r"<img[^>]+src=\"\.\./_images/sphx_glr_\w+_\d+\.png",
    ),
)


def _ours(root: Path) -> Tool:
    """Settings as the project's own, without what the corpus has no use for."""
    project = Project.create(root)
    return Tool(
        OURS,
        translate.notebook,
        "docs/{}.md",
        "site/{}/index.html",
        {"docs/index.md": "# Corpus\n", "mkdocs.yml": (project.root / "mkdocs.yml").read_text()},
        (sys.executable, "-m", "mkdocs", "build"),
        r"<svg\b(?=[^>]*\brole=\"img\")",
    )


class Bed:
    """A tool with its copy of the corpus."""

    def __init__(self, tool: Tool, root: Path) -> None:
        self.tool, self.root = tool, root
        self.laid = {file for file in root.rglob("*") if file.is_file()}
        for path, text in tool.fixed.items():
            self._write(path, text)
        self.module(MODULE.read_text("utf-8"))

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        self.laid.add(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")

    def module(self, text: str) -> None:
        """The module that a page imports."""
        self._write(f"src/{MODULE.name}", text)

    def lay(self, pages: dict[str, PageSource]) -> None:
        """The pages, translated; a file that has not changed is not touched."""
        for name, page in pages.items():
            self._write(self.tool.source.format(name), self.tool.form(page))

    def forget(self) -> None:
        """Removes all that was not laid here, wherever a tool keeps it; only byte code stays."""
        for path in sorted(self.root.rglob("*"), reverse=True):  # what is in a folder before it
            if path.is_dir():
                with contextlib.suppress(OSError):  # it still holds something
                    path.rmdir()
            elif path not in self.laid and "__pycache__" not in path.parts:
                path.unlink()

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.tool.command,
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    @cached_property
    def _environment(self) -> dict[str, str]:
        others = ("PYTHON", "PYTEST", "SOURCE_DATE", "VIRTUAL_ENV", "MPLBACKEND")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
        # A kernel of Jupyter chooses a backend by itself, and shows no figure under another.
        kept |= {"NO_MKDOCS_2_WARNING": "1"} | self.tool.environment
        path = [str(self.root / "src")]
        if self.tool.name == OURS:
            return kept | {"PYTHONPATH": os.pathsep.join([*path, str(REPOSITORY / "src")])}
        kept["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ["PATH"]])
        return kept | {"PYTHONPATH": path[0]}

    def build(self) -> float:
        """The seconds of a build that comes out well."""
        done: list[subprocess.CompletedProcess[str]] = []
        taken = seconds(lambda: done.append(self.run()))
        if done[0].returncode:
            raise Void(f"{self.tool.name}: {_last_line(done[0].stdout)}")
        return taken

    def check(self, pages: dict[str, PageSource], printed: dict[str, list[str]]) -> None:
        """Every block has run and every figure is there, else no time means anything."""
        for name, page in pages.items():
            text = (self.root / self.tool.page.format(name)).read_text("utf-8")
            shown = _words(text)
            where = f"bench: {self.tool.name}, page {name}:"
            for line in printed[name]:
                if _squeezed(line) not in shown:
                    raise SystemExit(
                        f"{where} a block was not run, for its output is not shown: {line}"
                    )
            wanted = sum(map(translate.draws, page.blocks))
            found = len(re.findall(self.tool.figure, text))
            if found < wanted:
                raise SystemExit(f"{where} expected {wanted} figures, got {found}")

    def shows(self, words: str) -> bool:
        """Whether the page that is edited shows them."""
        file = self.root / self.tool.page.format(EDITED)
        return _squeezed(words) in _words(file.read_text("utf-8"))

    def must_show(self, words: str) -> None:
        if not self.shows(words):
            raise SystemExit(f"bench: {self.tool.name} built, and does not show the edit: {words}")


def _words(text: str) -> str:
    """What a reader sees of a page, without white space."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    return _squeezed(html.unescape(re.sub(r"<[^>]+>", "", text)))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s¶]+", "", text)


def _last_line(text: str) -> str:
    """What a failed command said last of an error, or at all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error\b", line, re.IGNORECASE)]
    return (errors or lines or ["it ended without a word"])[-1]


# ---- the corpus, and edits of it ---------------------------------------------------------------


def corpus() -> dict[str, PageSource]:
    files = sorted(CORPUS.glob("*.md"))
    return {file.stem: read_page(file, CORPUS, CORPUS) for file in files}


def edited(page: PageSource, *, prose: str = "", code: str = "") -> PageSource:
    """The page with words added at its end, or code at the end of its last block."""
    text = page.text
    if code:
        last = page.blocks[-1].source
        assert text.count(last) == 1, page.path
        text = text.replace(last, f"{last}\n{code}")
    if prose:
        text += f"\n{prose}\n"
    return parse_page(text, page.path, page.name)


# Runs pages (name: [blocks]), and says what each has printed.
_PRINTED = """
import contextlib, io, json, sys
import matplotlib.pyplot as plt
out = {}
for name, blocks in json.load(sys.stdin).items():
    space, said = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(said):
        for block in blocks:
            exec(block, space)
            plt.close("all")
    out[name] = said.getvalue().splitlines()
json.dump(out, sys.stdout)
"""


def printed_lines(pages: dict[str, PageSource]) -> dict[str, list[str]]:
    """What the blocks print when they are run one after the other, by no tool at all."""
    blocks = {name: [block.source for block in page.blocks] for name, page in pages.items()}
    done = subprocess.run(
        [sys.executable, "-c", _PRINTED],
        input=json.dumps(blocks),
        stdout=subprocess.PIPE,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(CORPUS)},
        text=True,
        check=True,
    )
    printed = json.loads(done.stdout)
    for name, lines in printed.items():
        if not lines:
            raise SystemExit(f"bench: the page {name} prints nothing by which to tell that it ran")
    return printed


# ---- measuring ----------------------------------------------------------------------------------


def rows(folder: Path, repeats: int) -> list[Row]:
    """Times of each action as ratios to ours of the same turn, and what a failing block shows."""
    pages = corpus()
    printed = printed_lines(pages)
    _make_environment()
    beds, void = [Bed(_ours(folder / OURS), folder / OURS)], []
    for tool in PEERS:
        beds.append(Bed(tool, folder / tool.name))
    # One build of each first: it compiles byte code, and shows that the tool runs here at all.
    for bed in list(beds):
        bed.lay(pages)
        try:
            bed.build()
        except (Void, OSError, subprocess.TimeoutExpired) as error:
            if bed.tool.name == OURS:
                raise SystemExit(f"bench: the corpus does not build: {error}") from None
            beds.remove(bed)
            void.append(_cannot(bed.tool.name, str(error)))
            continue
        bed.check(pages, printed)
    times: dict[tuple[str, str], list[float]] = {}
    for turn in range(repeats):
        for bed in beds[turn % len(beds) :] + beds[: turn % len(beds)]:
            for action, taken in _turn(bed, pages, printed, turn).items():
                times.setdefault((bed.tool.name, action), []).append(taken)
        print(f"bench: peers, turn {turn + 1} of {repeats} done", file=sys.stderr, flush=True)
    count = sum(len(page.blocks) for page in pages.values())
    return [
        Row("blocks on the six pages", [count], None, subject=("corpus", "blocks")),
        *_rows(times, beds),
        *void,
        *_weights(beds, pages),
        *_module_edited(beds),
        *_failures(beds, pages),
    ]


def _turn(bed: Bed, pages, printed, turn: int) -> dict[str, float]:
    found = {}
    bed.forget()
    bed.lay(pages)
    found["cold build"] = bed.build()
    bed.check(pages, printed)
    found["nothing changed"] = bed.build()
    words = f"Words that were added in turn {turn}."
    page = edited(pages[EDITED], prose=words)
    bed.lay({EDITED: page})
    found["prose edited"] = bed.build()
    bed.must_show(words)
    page = edited(page, code=f'print("an output that was", "added in turn", {turn})')
    bed.lay({EDITED: page})
    found["block edited"] = bed.build()
    bed.must_show(f"an output that was added in turn {turn}")
    bed.check(pages, printed)
    return found


def _rows(times: dict[tuple[str, str], list[float]], beds: list[Bed]) -> list[Row]:
    found = []
    for action in ACTIONS:
        ours = times[OURS, action]
        for name in [bed.tool.name for bed in beds]:
            taken = times[name, action]
            found.append(Row(f"{action}: {name}", taken, None, "s", subject=(name, action, "s")))
            if name != OURS:
                ratios = [theirs / mine for theirs, mine in zip(taken, ours, strict=True)]
                label = f"{action}: {name} / {OURS}"
                found.append(Row(label, ratios, None, subject=(name, action, "ratio")))
    return found


def _cannot(name: str, why: str) -> Row:
    return Row(f"{name} on the six pages", [], None, note=f"cannot be run here: {why}")


def _module_edited(beds: list[Bed]) -> list[Row]:
    """Whether a build after an edit of an imported module shows what the pages now come to."""
    old, new = "falls to a thousandth", "sinks to a thousandth"
    text = MODULE.read_text("utf-8")
    assert old in text
    found = []
    for bed in beds:
        bed.must_show(old)
        bed.module(text.replace(old, new))
        taken = bed.build()
        right = bed.shows(new) and not bed.shows(old)
        note = "the page shows it" if right else "the page is stale"
        name = bed.tool.name
        subject = (name, "module edited", note)
        found.append(Row(f"module edited: {name}", [taken], None, "s", note, subject))
    return found


def _failures(beds: list[Bed], pages: dict[str, PageSource]) -> list[Row]:
    """The exit code, and whether what is said names the page and the line in it."""
    failing = edited(pages[EDITED], code="nought = 1 / 0")
    found = []
    for bed in beds:
        bed.lay({EDITED: failing})
        done = bed.run()
        source = bed.root / bed.tool.source.format(EDITED)
        at = source.read_text("utf-8").split("\n").index("nought = 1 / 0") + 1
        # That a page is being run says nothing of what went wrong.
        lines = [line for line in done.stdout.splitlines() if not line.startswith("INFO")]
        told = "\n".join(lines)
        line = re.search(rf"\b{source.name}\"?(?::|, line ){at}\b", told)
        page = re.search(rf"\b{EDITED}\b", told)
        names = "page and line" if line else "the page" if page else "neither page nor line"
        note = f"{'the build fails' if done.returncode else 'the build passes'}, and names {names}"
        name = bed.tool.name
        subject = (name, "failing block", names)
        label = f"exit code when a block fails: {name}"
        found.append(Row(label, [done.returncode], None, note=note, subject=subject))
    return found


def _weights(beds: list[Bed], pages: dict[str, PageSource]) -> list[Row]:
    found = []
    for bed in beds:
        files = [bed.root / bed.tool.page.format(name) for name in pages]
        size = max(file.stat().st_size for file in files) / 1000
        subject = (bed.tool.name, "HTML of a page", "kB")
        label = f"HTML of the heaviest of the six pages: {bed.tool.name}"
        found.append(Row(label, [size], None, "kB", subject=subject))
    return found


def _make_environment() -> None:
    """Installs what ``peers.txt`` pins; torch stands first, so that pip takes a CPU build."""
    stamp, birth = VENV / "made-from", f"Python {sys.version} in {VENV}"
    wanted = f"{birth}\n{hashlib.sha256(PINS.read_bytes()).hexdigest()}"
    made = stamp.read_text() if stamp.is_file() else ""
    if made == wanted:
        return
    print("bench: installing the other tools into .cache/peers", file=sys.stderr, flush=True)
    if not made.startswith(birth):  # half-made, or of another Python or place
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pins = [line for line in PINS.read_text().splitlines() if not line.startswith("#")]
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", "--no-input"]
    failed = False
    for pin in pins:  # one by one, so that one that cannot be had does not keep the others away
        done = subprocess.run([*pip, "-c", str(PINS), pin], capture_output=True, text=True)
        if done.returncode:
            failed = True
            print(f"bench: {pin} cannot be installed:\n{done.stderr.strip()}", file=sys.stderr)
    if not failed:
        stamp.write_text(wanted)
