"""``make mutants``: of small changes to the package, how many do the tests notice?

mutmut makes the mutants of the modules below, the tests that reach a change try it. The record
goes into ``docs/reference/recorded/mutants.json``. Each survivor needs a reason in
``survivors.yml``, beside this file; one without, or a module of which fewer than 90 % are noticed,
ends the command with an error.

A mutant once caught is not tried again while its module is as it was, a survivor always is;
``--anew`` tries all.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "agg"

import hypothesis
import yaml
from making import REPOSITORY, Mutant, mutants_of
from trials import COLD, PACKAGE, Baseline, Warm, cold_trial, collect, in_forks

sys.path.insert(0, str(REPOSITORY / "tests" / "bench"))
from measure import machine

RECORD = REPOSITORY / "docs" / "reference" / "recorded" / "mutants.json"
REASONS = Path(__file__).with_name("survivors.yml")
KEPT = REPOSITORY / ".cache" / "mutation"
LEAST = 0.9

# Each module, with the tests that are its own.
MODULES = {
    "cells": ("cells", "equality", "lstm_sequence", "lstm_variants", "ensemble"),
    "layers": ("layers", "equality"),
    "gradient_flow": ("gradient_flow",),
    "training/clipping": ("clipping",),
    "training/tbptt": ("tbptt",),
    "reservoir": ("reservoir",),
    "cost": ("cost",),
}
ALL = ("examples", "bad_input", "equations")
# Loaded before the package, so that not every fork has to.
FIRST = (
    "griffe",
    "matplotlib.pyplot",
    "onnx",
    "onnxruntime",
    "sklearn.datasets",
    "torch",
    "torch.func",
)


def files_of(module: str) -> list[Path]:
    path = PACKAGE / module
    return sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def test_files(names: Iterable[str]) -> list[str]:
    return [f"tests/test_{name}.py" for name in names]


def module_of(mutant: Mutant) -> str:
    name = mutant.file.removesuffix(".py")
    return next(module for module in MODULES if name == module or name.startswith(f"{module}/"))


def digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


class Log:
    """What has been tried: a line for each mutant, the last one counts."""

    def __init__(self, anew: bool) -> None:
        self.path = KEPT / "log.jsonl"
        if anew:
            self.path.unlink(missing_ok=True)
        lines = self.path.read_text("utf-8").splitlines() if self.path.is_file() else []
        rows = map(json.loads, lines)
        self.rows = {(row["mutant"], row["file"]): row for row in rows}

    def find(self, mutant: Mutant) -> dict[str, Any] | None:
        return self.rows.get((mutant.key, digest(PACKAGE / mutant.file)))

    def add(self, mutant: Mutant, outcome: str, by: str, tests: int) -> None:
        row = {
            "mutant": mutant.key,
            "file": digest(PACKAGE / mutant.file),
            "outcome": outcome,
            "by": by,
            "tests": tests,
        }
        self.rows[row["mutant"], row["file"]] = row
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def try_all(mutants: list[Mutant], log: Log, jobs: int) -> None:
    """Tries the mutants in two rounds: in loaded functions, then as imported."""
    names = dict.fromkeys(name for own in MODULES.values() for name in own) | dict.fromkeys(ALL)
    files = test_files(names)
    chosen: dict[str, list[str]] = {}
    cold: list[Mutant] = []
    left, started = Counter(module_of(mutant) for mutant in mutants), time.monotonic()

    def limit(mutant: Mutant) -> float:
        """Of processor time: several times what its tests take when all is well."""
        return 30 + 4 * sum(baseline.seconds[name] for name in chosen[mutant.key])

    def ended(mutant: Mutant, result: Any) -> None:
        if result == COLD:
            cold.append(mutant)
            return
        if isinstance(result, TimeoutError):
            outcome, by = "timed out", ""
        elif isinstance(result, Exception):
            outcome, by = "caught", str(result)
        else:
            outcome, by = ("caught", result) if result else ("survived", "")
        log.add(mutant, outcome, by, len(chosen[mutant.key]))
        left[module_of(mutant)] -= 1
        if outcome == "survived" or left.total() % 100 == 0:
            taken = time.monotonic() - started
            print(f"mutants: {left.total()} left, {taken:.0f} s; {outcome}: {mutant.key}")
            sys.stdout.flush()

    def warm(session: Warm) -> None:
        for mutant in mutants:
            chosen[mutant.key] = baseline.tests(mutant, test_files(MODULES[module_of(mutant)]))
        work = (
            (mutant, lambda m=mutant: session.trial(m, chosen[m.key]), limit(mutant))
            for mutant in mutants
        )
        in_forks(work, jobs, ended)
        (KEPT / "cold.json").write_text(json.dumps([mutant.key for mutant in cold]))

    baseline = take_baseline(files)
    # In a fork, so that this process stays without the package for the second round.
    if os.fork() == 0:
        collect(files, warm)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.wait()
    if status:
        raise SystemExit("mutants: the first round broke off")
    keys = set(json.loads((KEPT / "cold.json").read_text()))
    log.__init__(anew=False)
    cold_ones = [mutant for mutant in mutants if mutant.key in keys]
    left = Counter(module_of(mutant) for mutant in cold_ones)
    for mutant in cold_ones:
        chosen[mutant.key] = baseline.tests(mutant, test_files(MODULES[module_of(mutant)]))
    if cold_ones:
        check_cold(cold_ones[0], chosen[cold_ones[0].key])
    work = (
        (mutant, lambda m=mutant: cold_trial(m, chosen[m.key]), limit(mutant))
        for mutant in cold_ones
    )
    in_forks(work, jobs, ended)


def check_cold(mutant: Mutant, names: list[str]) -> None:
    """A file imported as it is must pass its tests, or the second round would prove nothing."""
    plain = dataclasses.replace(mutant, source=(PACKAGE / mutant.file).read_text("utf-8"))
    found: list[Any] = []
    in_forks([("", lambda: cold_trial(plain, names), 600)], 1, lambda _, r: found.append(r))
    if found != [""]:
        raise SystemExit(f"mutants: {mutant.file} fails without any change: {found[0]}")


def take_baseline(files: list[str]) -> Baseline:
    """Every test once without mutants; kept while neither package nor tests change."""
    import pickle

    everything = sorted([*PACKAGE.rglob("*.py"), *(REPOSITORY / "tests").glob("*.py")])
    kept = KEPT / f"baseline-{digest(*everything)}"
    if kept.is_file():
        return pickle.loads(kept.read_bytes())
    print(f"mutants: running the tests of {len(files)} files once, to see what they reach")
    found: list[Baseline] = []

    def whole() -> Baseline:
        measured: list[Baseline] = []
        collect(files, lambda session: measured.append(session.baseline()))
        return measured[0]

    in_forks([("baseline", whole, 3600)], 1, lambda _, result: found.append(result))
    if isinstance(found[0], Exception):
        raise SystemExit(f"mutants: the tests broke off: {found[0]}")
    if found[0].failed:
        raise SystemExit(f"mutants: these fail without any mutant: {found[0].failed}")
    for old in KEPT.glob("baseline-*"):
        old.unlink()
    kept.write_bytes(pickle.dumps(found[0]))
    return found[0]


def reasons() -> dict[str, str]:
    """Why each survivor may live, by its key."""
    groups = yaml.safe_load(REASONS.read_text("utf-8")) if REASONS.is_file() else []
    found: dict[str, str] = {}
    for group in groups or []:
        for key in group["mutants"]:
            if key in found:
                raise SystemExit(f"mutants: {REASONS.name} names this mutant twice: {key}")
            found[key] = group["why"].strip()
    return found


def record(mutants: list[Mutant], log: Log, why: dict[str, str]) -> dict[str, Any]:
    modules: dict[str, Any] = {}
    for name in MODULES:
        rows = [(m, log.find(m)) for m in mutants if module_of(m) == name]
        counts = Counter(row["outcome"] for _, row in rows if row)
        modules[name] = {
            "files": [str(path.relative_to(REPOSITORY)) for path in files_of(name)],
            "made": len(rows),
            "caught": counts["caught"],
            "timed_out": counts["timed out"],
            "survived": counts["survived"],
            "survivors": [
                {
                    "mutant": m.key,
                    "file": f"src/rnnnotes/{m.file}",
                    "line": m.line,
                    "where": m.where,
                    "old": m.old,
                    "new": m.new,
                    "tests": row["tests"],
                    "why": why.get(m.key, ""),
                }
                for m, row in rows
                if row and row["outcome"] == "survived"
            ],
        }
    return {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "modules": modules}


def noticed(row: dict[str, Any]) -> float:
    """The share that the tests noticed: by failing, or by never coming to an end."""
    return (row["caught"] + row["timed_out"]) / row["made"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="try the mutants caught before, too")
    parser.add_argument("--module", choices=MODULES, action="append", help="only this one")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    hypothesis.settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=30,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")
    os.chdir(REPOSITORY)
    print("mutants: making them")
    chosen = options.module or list(MODULES)
    every = [m for name in MODULES for path in files_of(name) for m in mutants_of(path)]
    log = Log(options.anew)
    tried = [m for m in every if module_of(m) in chosen]
    known = [m for m in tried if (row := log.find(m)) and row["outcome"] != "survived"]
    waiting = [m for m in tried if m not in set(known)]
    print(f"mutants: {len(tried)}, of which {len(known)} were caught before; trying the others")
    for name in FIRST:
        __import__(name)
    if waiting:
        try_all(waiting, log, options.jobs)
    untried = [m for m in every if not log.find(m)]
    if untried:
        print(f"mutants: {len(untried)} are not tried yet, so nothing is recorded", file=sys.stderr)
        return 1
    why = reasons()
    found = record(every, log, why)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return verdict(found, why)


def verdict(found: dict[str, Any], why: dict[str, str]) -> int:
    """Tells the counts, and whatever is wrong with them."""
    wrong = 0
    alive = set()
    for name, row in found["modules"].items():
        share = noticed(row)
        print(f"mutants: {name}: {row['made']} made, {share:.1%} noticed, {row['survived']} live")
        if share < LEAST:
            wrong += 1
            print(
                f"mutants: {name}: expected {LEAST:.0%} noticed, got {share:.1%}", file=sys.stderr
            )
        for survivor in row["survivors"]:
            key = survivor["mutant"]
            alive.add(key)
            if not survivor["why"]:
                wrong += 1
                place = f"{survivor['file']}:{survivor['line']}"
                print(f"mutants: {place}: lives, and nobody said why: {key}", file=sys.stderr)
    for key in why.keys() - alive:
        print(f"mutants: {REASONS.name} excuses one that does not live: {key}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
