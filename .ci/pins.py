"""Print constraints.txt: each package that `rnnnotes[site,test]` needs, in the version here.

.venv/bin/pip install --upgrade <what is to be newer, or is new in pyproject.toml>
.venv/bin/python .ci/pins.py > pins && mv pins constraints.txt

Not every newest version runs on the oldest Python that pyproject.toml allows; the tests compare.
"""

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
HEADER = """\
# Every version that the set-up installs; printed by .ci/pins.py and compared with it by the tests.
# Where packages come from is not said here: that is for pip's own configuration.
"""


def requirements() -> list[Requirement]:
    """What pyproject.toml itself asks for, the extras `site` and `test` included."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    return [Requirement(r) for r in project["dependencies"] + extras["site"] + extras["test"]]


def closure() -> dict[str, Version]:
    """Everything that must be installed here for `requirements`, by canonical name.

    A requirement that its dependent already fixes by `==` is left out: such are the CUDA packages
    of another torch build, which a CPU build never names.
    """
    todo = requirements()
    seen: set[tuple[str, frozenset[str]]] = set()
    versions: dict[str, Version] = {}
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        versions[name] = Version(distribution.version)
        for needed in map(Requirement, distribution.requires or []):
            fixed = any(s.operator == "==" and "*" not in s.version for s in needed.specifier)
            marker = needed.marker
            asked = marker is None or any(marker.evaluate({"extra": e}) for e in extras or {""})
            if asked and not fixed:
                todo.append(needed)
    return versions


if __name__ == "__main__":
    # `public` drops a local label such as +cpu, which the package index does not know.
    pins = [f"{name}=={version.public}" for name, version in sorted(closure().items())]
    print(HEADER + "\n".join(pins))
