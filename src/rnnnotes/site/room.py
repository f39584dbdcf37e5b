"""Whether a folder can be written, asked before minutes of work rather than after."""

import tempfile
from pathlib import Path

from rnnnotes.site.errors import LoomError

ROOM = 2**20


def check_room(folder: Path, what: str) -> None:
    """Writes a megabyte that is gone at once: on a full disk an empty file can still be made.

    Raises:
        LoomError: there is no room, or nothing may be written.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        raise LoomError(
            f"{what} {folder} cannot be written (1 MB of room is wanted): {error}"
        ) from None
