"""``make seeds``: does every verdict come out the same from other random numbers?

Each page is run again for each of twenty shifts: every seed that it, or the package for it, gives
to torch is moved by a multiple of a hundred thousand, and nothing else is changed. Figures are not
drawn, and what stands below the last verdict of a page is not run. A page that cannot be run from
other seeds (its own check fails) is recorded as stopped, with the line. The record goes into
``docs/reference/recorded/seeds.json``, from which a page is built.

Runs that are on record for a page as it is now are not done again; an edited page is run anew. The
log of a run that was stopped is kept in ``.cache``, and what it holds goes into the next record.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from measure import machine

from rnnnotes.site.blocks import Fence, PageSource, read_page
from rnnnotes.site.cache import write_whole
from rnnnotes.site.errors import PageError
from rnnnotes.site.execute import Run, run_pages
from rnnnotes.site.weave import recorded

REPOSITORY = Path(__file__).resolve().parents[2]
RECORD = REPOSITORY / "docs" / "reference" / "recorded" / "seeds.json"
LOG = REPOSITORY / ".cache" / "rnnnotes" / "seeds.jsonl"
SHIFTS = range(1, 21)
AS_PUBLISHED = 0
# Far from each other, and from seeds that a page counts up by itself.
STRIDE = 100_003

# What a page runs first. joblib is told of one processor and so stays in the page's own process.
_MOVED = """
import matplotlib.figure as _figure, torch as _torch
_figure.Figure.savefig = lambda *_, **__: None
_shift, _plain = {shift}, _torch.manual_seed
class _Generator(_torch.Generator):
    def manual_seed(self, seed):
        return super().manual_seed(seed + _shift)
_torch.Generator = _torch._C.Generator = _Generator
_torch.manual_seed = _torch.random.manual_seed = lambda seed: _plain(seed + _shift)
"""


def settling(page: PageSource) -> list[Fence]:
    """The blocks of a page up to its last verdict."""
    last = max(k for k, block in enumerate(page.blocks) if "settle(" in block.source)
    return list(page.blocks[: last + 1])


def moved(page: PageSource, shift: int) -> PageSource:
    """The page with its seeds moved: its blocks alone, without computed words and captions."""
    first = Fence("python", _MOVED.format(shift=shift * STRIDE), 1, "", runs=True)
    blocks = [dataclasses.replace(block, options={}) for block in settling(page)]
    return dataclasses.replace(page, parts=(first, *blocks))


def digest(page: PageSource) -> str:
    """Of all that is run of a page."""
    code = "\n\n".join(block.source for block in settling(page))
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def outcome(page: PageSource, run: Run | Exception) -> dict[str, Any]:
    """What one run of a page came to: its verdicts, or where it stopped."""
    if isinstance(run, PageError):
        return {"stopped": f"{run.path}:{run.line}: {run.message}"}
    if isinstance(run, Exception):
        raise run
    verdicts = {}
    for record in recorded(page, {"outputs": run.outputs}):
        verdict = record.verdict
        if not verdict["conditions"]:
            continue  # a pointer, with nothing measured
        verdicts[record.id] = {
            "verdict": verdict["verdict"],
            "rows": {row["name"]: [row["median"], row["holds"]] for row in verdict["conditions"]},
        }
    return {"verdicts": verdicts, "seconds": round(run.cpu_seconds, 2)}


def measure(pages: list[PageSource], shifts: Iterable[int], jobs: int, log: Path) -> None:
    """Runs what the log does not hold yet, and appends a line for each run as it ends."""
    done = {(row["page"], row["shift"], row["code"]) for row in read(log)}
    for row in recorded_before(pages).values():
        done |= {(row["page"], shift, row["code"]) for shift in row["shifts"]}
    waiting: dict[int, tuple[PageSource, int]] = {}
    for shift in shifts:
        for page in pages:
            if (page.name, shift, digest(page)) not in done:
                run = moved(page, shift)
                waiting[id(run)] = (run, shift)
    originals = {page.name: page for page in pages}
    started = time.monotonic()
    count = len(waiting)

    def ended(run: PageSource, result: Run | Exception) -> None:
        _, shift = waiting[id(run)]
        page = originals[run.name]
        row = {"page": page.name, "shift": shift, "code": digest(page), **outcome(run, result)}
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        nonlocal count
        count -= 1
        word = "stopped" if "stopped" in row else "ran"
        taken = time.monotonic() - started
        print(f"seeds: {page.name} {word}, shift {shift}; {count} left, {taken:.0f} s", flush=True)

    run_pages([run for run, _ in waiting.values()], REPOSITORY, jobs, 1, 600, ended)


def read(log: Path) -> list[dict[str, Any]]:
    if not log.is_file():
        return []
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def recorded_before(pages: list[PageSource]) -> dict[str, Any]:
    """The statements of the last record whose page is still as it was then."""
    if not RECORD.is_file():
        return {}
    now = {page.name: digest(page) for page in pages}
    statements = json.loads(RECORD.read_text("utf-8"))["statements"]
    return {k: row for k, row in statements.items() if row["code"] == now.get(row["page"])}


def record(pages: list[PageSource], rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What the last record and the log say of the pages as they are now, by statement."""
    now = {page.name: digest(page) for page in pages}
    rows = sorted((row for row in rows if row["code"] == now.get(row["page"])), key=_place)
    found = recorded_before(pages)
    for row in rows:
        for name, verdict in row.get("verdicts", {}).items():
            start = {
                "page": row["page"],
                "code": row["code"],
                "shifts": [],
                "words": [],
                "rows": {},
            }
            statement = found.setdefault(name, start)
            if row["shift"] not in statement["shifts"]:
                _add(statement, row["shift"], verdict)
    return {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "stride": STRIDE,
        "statements": {name: found[name] for name in sorted(found, key=_order)},
        "stopped": [
            {"page": row["page"], "shift": row["shift"], "why": row["stopped"]}
            for row in rows
            if "stopped" in row
        ],
    }


def _add(statement: dict[str, Any], shift: int, verdict: Mapping[str, Any]) -> None:
    """One run more: its word, and of each row whether it held, and the range of its medians."""
    statement["shifts"].append(shift)
    statement["words"].append(verdict["verdict"])
    for name, (median, holds) in verdict["rows"].items():
        start = {"runs": 0, "holds": 0, "low": median, "high": median}
        row = statement["rows"].setdefault(name, start)
        row["runs"] += 1
        row["holds"] += holds
        row["low"] = min(row["low"], median, key=float)
        row["high"] = max(row["high"], median, key=float)


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["page"], row["shift"]


def _order(name: str) -> tuple[str, int]:
    letter, number = re.fullmatch(r"([A-Z])(\d+)", name).groups()
    return letter, int(number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shifts", type=int, default=len(SHIFTS))
    parser.add_argument("--page", action="append", help="only this one, as gates/lstm")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    docs = REPOSITORY / "docs"
    pages = [read_page(file, docs, REPOSITORY) for file in sorted(docs.rglob("*.md"))]
    pages = [page for page in pages if "settle(" in page.text and page.is_notebook]
    chosen = [page for page in pages if not options.page or page.name in options.page]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    measure(chosen, range(AS_PUBLISHED, options.shifts + 1), options.jobs, LOG)
    found = record(pages, read(LOG))
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    write_whole(RECORD, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    wobbling = {k: row for k, row in found["statements"].items() if len(set(row["words"])) > 1}
    for name, row in wobbling.items():
        print(f"seeds: {name} wobbles: {dict(Counter(row['words']))}", file=sys.stderr)
    for row in found["stopped"]:
        print(f"seeds: stopped at shift {row['shift']}: {row['why']}", file=sys.stderr)
    return 1 if wobbling or found["stopped"] else 0


if __name__ == "__main__":
    sys.exit(main())
