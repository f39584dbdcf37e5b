"""``make mutants`` ends with this: who notices a wrong sign, the tests or the pages?

Each error of ``flips.yml`` is made in a copy of the project, one at a time. Its tests run until
the first that fails. Apart from them, the pages that import the changed file run until one stops
on a check of its own or comes to another verdict than the page as published. The record goes into
``docs/reference/recorded/flips.json``; an error that neither notices ends the command with 1.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from measure import machine

from rnnnotes.site.blocks import PageSource, read_page
from rnnnotes.site.cache import Cache
from rnnnotes.site.errors import PageError
from rnnnotes.site.execute import Run, run_pages
from rnnnotes.site.weave import recorded

REPOSITORY = Path(__file__).resolve().parents[2]
FLIPS = Path(__file__).with_name("flips.yml")
RECORD = REPOSITORY / "docs" / "reference" / "recorded" / "flips.json"
COPIED = ("src", "tests", "docs", "snippets", "conftest.py", "pyproject.toml", "mkdocs.yml")


def words(page: PageSource, run: Mapping[str, Any]) -> dict[str, str]:
    """The page's verdicts, by statement."""
    return {record.id: record.verdict["verdict"] for record in recorded(page, run)}


def published() -> dict[str, tuple[set[str], float, dict[str, str]]]:
    """Of each page: the files that it read, its seconds, its verdicts; all as kept by the build."""
    cache = Cache(REPOSITORY / ".cache" / "rnnnotes", REPOSITORY)
    found = {}
    for file in sorted((REPOSITORY / "docs").rglob("*.md")):
        page = read_page(file, REPOSITORY / "docs", REPOSITORY)
        if not page.is_notebook or "settle(" not in page.text:
            continue
        run = cache.load(page)
        if run is None:
            raise SystemExit(f"flips: {page.path} is not built as it is now: `make site` first")
        entry = json.loads(cache._file(page).read_text("utf-8").partition("\n")[2])
        found[page.name] = set(entry["files"]), run["seconds"], words(page, run)
    return found


def asked(flip: Mapping[str, Any], pages: Mapping[str, tuple[set[str], float, Any]]) -> list[str]:
    """The pages that import the file: the one named first, then quick ones first."""
    path = f"src/rnnnotes/{flip['file']}"
    importing = [name for name, (files, _, _) in pages.items() if path in files]
    if flip["page"] not in importing:
        raise SystemExit(f"flips: {flip['page']} does not import {path}")
    return sorted(importing, key=lambda name: (name != flip["page"], pages[name][1]))


def copy_of_project(folder: Path) -> None:
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python on the copy, not on the package that is installed."""
    # No byte code: a flip may leave a file's time and size as they were.
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def asked_of_tests(folder: Path, flip: Mapping[str, Any]) -> str:
    """The first test that fails, or ""."""
    files = [f"tests/test_{name}.py" for name in flip["tests"]]
    done = run(folder, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files)
    if done.returncode not in (0, 1):
        raise SystemExit(f"flips: the tests did not run:\n{done.stdout}{done.stderr}")
    failed = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    if (failed is None) != (done.returncode == 0):
        raise SystemExit(f"flips: what failed?\n{done.stdout}")
    return failed[1] if failed else ""


def asked_of_page(folder: Path, name: str, kept: Mapping[str, str]) -> str:
    """How the page notices, in words, or ""."""
    done = run(folder, "tests/mutation/flips.py", "--page", name)
    if done.returncode:
        raise SystemExit(f"flips: {name} did not run:\n{done.stdout}{done.stderr}")
    came = json.loads(done.stdout.splitlines()[-1])
    if "stopped" in came:
        return f"stops: {came['stopped']}"
    verdicts = came["verdicts"]
    turned = [f"{id} {kept[id]} → {word}" for id, word in verdicts.items() if word != kept[id]]
    return ", ".join(turned)


def run_one_page(name: str) -> None:
    """In the copy: a page's verdicts, or where it stops, as JSON on the last line."""
    page = read_page(REPOSITORY / "docs" / f"{name}.md", REPOSITORY / "docs", REPOSITORY)

    def ended(page: PageSource, result: Run | Exception) -> None:
        if isinstance(result, PageError):
            came = {"stopped": f"{result.path}:{result.line}: {result.message}"}
        elif isinstance(result, Exception):
            raise result
        else:
            came = {"verdicts": words(page, {"outputs": result.outputs})}
        print(json.dumps(came))

    run_pages([page], REPOSITORY, 1, 1, 600, ended)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.page:
        run_one_page(options.page)
        return 0
    flips = yaml.safe_load(FLIPS.read_text("utf-8"))
    pages = published()
    rows = []
    with tempfile.TemporaryDirectory(prefix="flips-") as scratch:
        folder = Path(scratch)
        copy_of_project(folder)
        for flip in flips:
            file = folder / "src" / "rnnnotes" / flip["file"]
            plain = file.read_text("utf-8")
            if plain.count(flip["old"]) != 1:
                raise SystemExit(f"flips: {flip['file']}: expected {flip['old']!r} once")
            line = plain[: plain.index(flip["old"])].count("\n") + 1
            file.write_text(plain.replace(flip["old"], flip["new"]), "utf-8")
            test = asked_of_tests(folder, flip)
            tried, page, how = [], "", ""
            for name in asked(flip, pages):
                tried.append(name)
                how = asked_of_page(folder, name, pages[name][2])
                if how:
                    page = name
                    break
            file.write_text(plain, "utf-8")
            rows.append(
                {
                    "name": flip["name"],
                    "file": f"src/rnnnotes/{flip['file']}",
                    "line": line,
                    "old": flip["old"],
                    "new": flip["new"],
                    "test": test,
                    "pages_tried": tried,
                    "page": page,
                    "how": how,
                }
            )
            print(f"flips: {flip['name']}: {test or 'no test'}; {page or 'no page'} {how}")
            sys.stdout.flush()
    found = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "flips": rows}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    missed = [row for row in rows if not (row["test"] or row["page"])]
    for row in missed:
        print(f"flips: {row['file']}:{row['line']}: nobody noticed {row['new']}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
