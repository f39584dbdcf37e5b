"""Keeps what pages came to, and knows when it may still be believed.

An entry holds the outputs of one page. It is believed when the page's blocks are the same, when
every file that the run really opened has the same content, and when every package that it really
imported has the same version. Prose does not count. An entry carries its own checksum: a
half-written or damaged one is not believed, and the page is run again.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from rnnnotes.site.blocks import PageSource
from rnnnotes.site.errors import LoomError
from rnnnotes.site.room import check_room

FORMAT = 1
# How the name of a file begins while it is being written.
HALF_WRITTEN = ".writing-"
# A change in how pages are run makes every entry stale; a change in how they are woven, none.
RUNNERS = ("blocks.py", "kernel.py", "execute.py", "cache.py", "trace/trace_opens.py")


class Cache:
    """The folder of entries, one file a page."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.hashes: dict[str, str] = {}
        self.before: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def snapshot(self) -> None:
        """Remembers the sources before pages run, so that an edit in the middle is noticed."""
        for folder in ("src", "snippets", "docs"):
            for file in (self.root / folder).rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    path = file.relative_to(self.root).as_posix()
                    self.before[path] = self.digest(path)

    def check_writable(self) -> None:
        """Fails before anything runs, rather than after minutes of work."""
        folders = (self.folder / "pages", self.folder / "made")
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LoomError(f"the cache folder {self.folder} cannot be written: {error}") from None
        for folder in folders:
            check_room(folder, "the cache folder")

    def load(self, page: PageSource) -> dict[str, Any] | None:
        """The entry of a page, if it can be believed."""
        try:
            digest, _, body = self._file(page).read_text("utf-8").partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        if digest != _sha(body):
            return None
        entry = json.loads(body)
        if entry["key"] != self.key(page):
            return None
        same_files = all(self.digest(path) == sha for path, sha in entry["files"].items())
        same_folders = all(self.listing(path) == sha for path, sha in entry["folders"].items())
        if not (same_files and same_folders):
            return None
        if any(self.version(name) != version for name, version in entry["packages"].items()):
            return None
        return entry["run"]

    def store(self, page: PageSource, run: Any) -> dict[str, Any]:
        """Keeps a run; the file appears whole or not at all."""
        record = asdict(run)
        files, folders = record.pop("files"), record.pop("folders")
        packages = _distributions(record.pop("packages"))
        files = [Path(path).relative_to(self.root).as_posix() for path in files]
        folders = [Path(path).relative_to(self.root).as_posix() for path in folders]
        self.hashes.clear()
        entry = {
            "key": self.key(page),
            "files": {path: self._settled(path) for path in files},
            "folders": {path: self.listing(path) for path in folders},
            "packages": {name: self.version(name) for name in packages},
            "run": record,
        }
        body = json.dumps(entry, sort_keys=True)
        write_whole(self._file(page), f"{_sha(body)}\n{body}")
        return json.loads(body)["run"]

    def seconds(self, page: PageSource) -> float:
        """How long the page took last time, believed or not; unknown pages come first."""
        try:
            body = self._file(page).read_text("utf-8").partition("\n")[2]
            return float(json.loads(body)["run"]["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return float("inf")

    def key(self, page: PageSource) -> str:
        """What the outputs depend on before a block has run."""
        return _sha(
            json.dumps(
                [
                    FORMAT,
                    page.path,
                    [block.shown for block in page.blocks],
                    [value.code for value in page.values],
                    platform.python_version(),
                    platform.machine(),
                    _runner_digest(),
                ]
            )
        )

    def digest(self, path: str) -> str:
        """The hash of a file's content, read once in a build; empty when it is gone."""
        if path not in self.hashes:
            try:
                self.hashes[path] = hashlib.sha256((self.root / path).read_bytes()).hexdigest()
            except OSError:
                self.hashes[path] = ""
        return self.hashes[path]

    def version(self, name: str) -> str:
        """The version of an installed package, looked up once in a build; every page names it."""
        if name not in self.versions:
            self.versions[name] = _version(name)
        return self.versions[name]

    def _settled(self, path: str) -> str:
        """The hash of a file that did not change while pages ran; else one that nothing has."""
        now = self.digest(path)
        return now if self.before.get(path, now) == now else "changed while the page ran"

    def listing(self, path: str) -> str:
        """The hash of a folder's list of names."""
        try:
            names = sorted(name for name in os.listdir(self.root / path) if name != "__pycache__")
        except OSError:
            return ""
        return _sha("\n".join(names))

    def _file(self, page: PageSource) -> Path:
        return self.folder / "pages" / f"{page.name}.entry"


def write_whole(file: Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees the old content or the new, and never a part.

    Raises:
        LoomError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    name = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=HALF_WRITTEN)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise LoomError(f"{file} cannot be written: {error}") from None
        raise


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _runner_digest() -> str:
    here = Path(__file__).parent
    return _sha("".join((here / name).read_text("utf-8") for name in RUNNERS))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _distributions(modules: list[str]) -> list[str]:
    """The installed packages that these top-level modules come from."""
    owners = importlib.metadata.packages_distributions()
    names = {owner for module in modules for owner in owners.get(module, ())}
    return sorted(names - {"rnnnotes"})
