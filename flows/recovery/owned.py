"""Owned: a recovery directory is code, for the engine unpickles its states; so it is its owner's alone, or not read."""

import os
import stat
from pathlib import Path

from flows.refusal import Refused


def own(directory: Path) -> None:
    """Make a directory, or see that nobody else can have put anything into it; Refused if somebody could."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (directory, *sorted(directory.iterdir())):
        found = path.lstat()
        if found.st_uid != os.geteuid():
            raise Refused(f"{path} belongs to user {found.st_uid}: recovered state is run as code")
        if stat.S_ISLNK(found.st_mode):
            raise Refused(f"{path} is a link: recovered state is run as code, so it is read where it stands")
        if found.st_mode & 0o022:
            raise Refused(f"{path} can be written by others, and recovered state is run as code: chmod go-w {path}")
    directory.chmod(0o700)
