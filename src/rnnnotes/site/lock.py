"""One build at a time in a project, and what a killed one has left half-written is cleared away."""

import fcntl
import os
from pathlib import Path
from typing import IO

from rnnnotes.site.cache import HALF_WRITTEN
from rnnnotes.site.errors import LoomError


class Lock:
    """Held from ``take`` to ``release``, or until the process ends, however it ends.

    Args:
        cache: the folder that only one build may write to.
        report: the file that a build writes beside it.
    """

    def __init__(self, cache: Path, report: Path) -> None:
        self.cache, self.report = cache, report
        self.file: IO[str] | None = None

    def take(self) -> None:
        """Takes it, if it is not held already.

        Raises:
            LoomError: another build holds it, or the folder cannot be written.
        """
        if self.file is not None:
            return
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            file = (self.cache / "lock").open("a+")
        except OSError as error:
            raise LoomError(f"the cache folder {self.cache} cannot be written: {error}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip()
            file.close()
            raise LoomError(
                f"another build is running in this folder (process {other}): wait for it, or end it"
            ) from None
        self.file = file
        try:
            file.truncate(0)
            os.write(file.fileno(), str(os.getpid()).encode())
        except OSError as error:
            self.release()
            raise LoomError(f"the cache folder {self.cache} cannot be written: {error}") from None
        # Beside the report anything may stand, as large as it likes: what is below is not ours.
        left = [self.cache / "pages", self.cache / "made"]
        left = [file for folder in left for file in folder.rglob(f"{HALF_WRITTEN}*")]
        for file in (*left, *self.report.parent.glob(f"{HALF_WRITTEN}*")):
            file.unlink(missing_ok=True)

    def release(self) -> None:
        """Lets the next build in."""
        if self.file is not None:
            self.file.close()
            self.file = None
