"""``make bench``: every figure that the project promises, measured, in one table.

Each is a ratio of two things measured next to each other in this run, a count, or a time that is
only told. The exit code is not 0 when one of them is above its limit. What was measured goes into
``docs/reference/recorded/speed.json``, part by part, from which the page on speed is built.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import growth
import live_preview
import package_speed
import page_weight
import peers
import record
import site_builds
from measure import Row, machine, print_table
from whole_project import WholeProject

from rnnnotes.site.links import address


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of each build")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure a part alone")
    options = parser.parse_args()
    print(machine(), flush=True)
    # The preview is ended as by Ctrl-C, which a shell ignores in what it starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    broken: list[str] = []
    load = os.getloadavg()[0]  # of others: later it would be that of the parts before
    with tempfile.TemporaryDirectory(prefix="rnnnotes-bench-") as folder:
        bench = Bench(Path(folder), options.repeats)
        for part in [part for part in PARTS if part in (options.only or PARTS)]:
            start = time.monotonic()
            rows = PARTS[part](bench)
            took = time.monotonic() - start
            versions = peers.versions() if part == "peers" else {}
            record.keep(part, rows, took, load, versions)
            broken += [row.quantity for row in rows if not row.holds]
            # A sign of life: the whole takes minutes.
            print(f"bench: {part} measured in {took / 60:.1f} min", file=sys.stderr, flush=True)
    print_table(record.rows(record.read(), list(PARTS)))
    for quantity in broken:
        print(f"bench: above its limit: {quantity}", file=sys.stderr)
    return 1 if broken else 0


class Bench:
    """The parts, and what they share: a folder, how often to measure, a copy of the project."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.folder, self.repeats = folder, repeats

    @cached_property
    def project(self) -> WholeProject:
        """Made when a part first asks for it."""
        return WholeProject.create(self.folder / "project")

    def builds(self) -> list[Row]:
        # Minutes each, in which what disturbs evens out: two are enough.
        return site_builds.rows(self.project, min(self.repeats, 2))

    def weight(self) -> list[Row]:
        self.project.build_kept()
        pages = [page.name for page in self.project.pages]
        return page_weight.rows(self.project.site, [address(name) for name in {"index", *pages}])

    def preview(self) -> list[Row]:
        self.project.build_kept()
        return live_preview.rows(self.project, 5)

    def package(self) -> list[Row]:
        return package_speed.rows(7)

    def peers(self) -> list[Row]:
        return peers.rows(self.folder / "peers", self.repeats)

    def growth(self) -> list[Row]:
        return growth.rows(self.folder / "growth", self.repeats)


# In this order: the first three are on record before the whole project, with the page that reads
# them, is built; and after "builds" it is built, which the next two need.
PARTS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "package": Bench.package,
    "peers": Bench.peers,
    "growth": Bench.growth,
    "builds": Bench.builds,
    "weight": Bench.weight,
    "preview": Bench.preview,
}


if __name__ == "__main__":
    sys.exit(main())
