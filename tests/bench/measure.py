"""One line of the table: what was measured, beside the limit that it has to keep."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Row:
    """A quantity, what it came to (one value for each repeat), and the most it may be.

    ``limit`` is None for what is only told; ``note`` is for what no number says; ``subject`` names
    what the row is about, for the figures of the page that is made from the record.
    """

    quantity: str
    values: Sequence[float]
    limit: float | None
    unit: str = ""
    note: str = ""
    subject: Sequence[str | int] = ()

    @property
    def measured(self) -> float:
        return median(self.values)

    @property
    def holds(self) -> bool:
        return self.limit is None or self.measured <= self.limit

    def cells(self) -> tuple[str, ...]:
        shown = ""
        if self.values:
            shown = _number(self.measured, self.unit)
        if len(self.values) > 1:
            low, high = (_number(value, "") for value in (min(self.values), max(self.values)))
            shown += f" ({low} to {high})"
        return (
            self.quantity,
            "; ".join(filter(None, (shown, self.note))),
            "" if self.limit is None else _number(self.limit, self.unit),
            str(len(self.values)),
            "" if self.limit is None else "yes" if self.holds else "NO",
        )


def _number(value: float, unit: str) -> str:
    text = f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
    return f"{text} {unit}".rstrip()


def print_table(rows: Sequence[Row]) -> None:
    head = ("quantity", "measured (lowest to highest)", "at most", "repeats", "holds")
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def machine() -> str:
    """What a record was made on."""
    return (
        f"{_cpu()}, {len(os.sched_getaffinity(0))} cores; "
        f"torch {importlib.metadata.version('torch')}, Python {platform.python_version()}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratios(ours: Callable[[], float], other: Callable[[], float], repeats: int) -> list[float]:
    """Pairs measured next to each other, by turns with the one and the other first."""
    found = []
    for turn in range(repeats):
        if turn % 2:
            below = other()
            found.append(ours() / below)
        else:
            above = ours()
            found.append(above / other())
    return found
