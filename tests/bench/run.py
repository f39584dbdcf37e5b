"""``make bench``: every figure that the project promises, measured, in one table.

Each is a ratio of two things measured next to each other in this run, or a count. The exit code
is not 0 when one of them is above its limit.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import live_preview
import package_speed
import page_weight
import site_builds
from measure import Row, machine, print_table
from whole_project import WholeProject, build_seconds

PARTS = ("builds", "weight", "preview", "package")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of each cold build")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure a part alone")
    options = parser.parse_args()
    parts = options.only or PARTS
    print(machine(), flush=True)
    rows: list[Row] = []
    if "package" in parts:
        rows += _said("package", package_speed.rows(7))
    if set(parts) & {"builds", "weight", "preview"}:
        with tempfile.TemporaryDirectory(prefix="rnnnotes-bench-") as folder:
            project = WholeProject.create(Path(folder) / "project")
            build_seconds(project)
            if "weight" in parts:
                pages = ["", *(f"{page.name}/" for page in project.pages)]
                rows += _said("weight", page_weight.rows(project.site, pages))
            if "preview" in parts:
                rows += _said("preview", live_preview.rows(project, 5))
            if "builds" in parts:
                rows += _said("builds", site_builds.rows(project, options.repeats))
    print_table(rows)
    broken = [row.quantity for row in rows if not row.holds]
    for quantity in broken:
        print(f"bench: above its limit: {quantity}", file=sys.stderr)
    return 1 if broken else 0


def _said(part: str, rows: list[Row]) -> list[Row]:
    """A sign of life: the whole takes minutes."""
    print(f"bench: {part} measured", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
