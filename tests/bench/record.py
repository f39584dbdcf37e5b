"""The last recorded run, ``docs/reference/recorded/speed.json``, which the page on speed reads.

Each part of the bench has its own date, machine and versions, so that one can be measured again
without the others.
"""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import Row, machine

from rnnnotes.site.cache import write_whole

RECORD = Path(__file__).resolve().parents[2] / "docs" / "reference" / "recorded" / "speed.json"
NAMED = ("torch", "numpy", "matplotlib", "mkdocs", "mkdocs-material", "mkdocs-jupyter")


def read(file: Path = RECORD) -> dict[str, Any]:
    """The parts on record, by name."""
    if not file.is_file():
        return {}
    return json.loads(file.read_text("utf-8"))["parts"]


def keep(
    part: str,
    rows: Sequence[Row],
    took: float,
    load: float,
    versions: Mapping[str, str] = {},
    file: Path = RECORD,
) -> None:
    """Puts the rows of a part in place of those that were there; other parts stay as they are.

    Args:
        took: seconds that the part has taken.
        load: of the machine before it began, in processes that wanted a processor.
        versions: more than those of the project's own environment.
    """
    parts = read(file)
    parts[part] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(load, 1),
        "minutes": round(took / 60, 1),
        "versions": {"python": platform.python_version(), **_versions(), **versions},
        "rows": [_as_json(row) for row in rows],
    }
    text = json.dumps({"parts": parts}, indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(file, text + "\n")


def rows(parts: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    """All rows on record, part by part."""
    keys = Row.__dataclass_fields__
    return [
        Row(**{key: row[key] for key in keys})
        for name in names
        if name in parts
        for row in parts[name]["rows"]
    ]


def _as_json(row: Row) -> dict[str, Any]:
    values = [float(f"{value:.4g}") for value in row.values]
    return asdict(row) | {"values": values, "holds": row.holds}


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in NAMED}
