"""Print, as constraints for pip, the oldest or the newest versions that pyproject.toml admits.

python .ci/bounds.py oldest           every lower bound; torch as constraints.txt pins it
python .ci/bounds.py newest newest    nothing: pip takes the newest that the bounds admit

The second word, `pinned` if there is none, is for torch alone, whose CPU build is not everywhere.
What our requirements require in turn is the newest that they admit: so pip would install it today.
"""

import sys

from packaging.requirements import Requirement
from pins import PYPROJECT, requirements


def lower_bound(requirement: Requirement) -> str:
    """The version that a requirement admits and no older one: all of ours say one."""
    found = [s.version for s in requirement.specifier if s.operator == ">="]
    if len(found) != 1:
        raise SystemExit(f"bounds: expected one >= in pyproject.toml, and it says: {requirement}")
    return found[0]


def pinned(name: str) -> str:
    """The version in constraints.txt."""
    lines = PYPROJECT.with_name("constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}==")).split("==")[1]


def constraints(which: str, torch: str) -> list[str]:
    """A line for each requirement that is not left to pip."""
    wanted = {r.name: (torch if r.name == "torch" else which, r) for r in requirements()}
    versions = {
        name: pinned(name) if word == "pinned" else lower_bound(requirement)
        for name, (word, requirement) in wanted.items()
        if word != "newest"
    }
    return [f"{name}=={version}" for name, version in versions.items()]


if __name__ == "__main__":
    words = [*sys.argv[1:], "pinned"][:2]
    if words[0] not in ("oldest", "newest") or words[1] not in ("oldest", "pinned", "newest"):
        raise SystemExit(f"bounds: expected oldest|newest [oldest|pinned|newest], not {words}")
    print("\n".join(constraints(*words)))
