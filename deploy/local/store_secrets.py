"""The store's secrets: one for those who write, one for those who read, in files that only their owner can open."""

import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

WRITER, READER = "default", "reader"
FILES = {WRITER: "store.secret", READER: "store.reader"}


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """By user: the flows write as `default`, everybody else reads as `reader`."""

    of: dict[str, str]

    def admits(self, user: str, secret: str) -> bool:
        """Whether it is the user's; the time taken says nothing of how much was right."""
        known = self.of.get(user)
        return hmac.compare_digest((known or secrets.token_hex()).encode(), secret.encode()) and known is not None


def private(folder: Path) -> None:
    """Make a folder for its owner alone, or make it so; PermissionError for one of somebody else."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of the user who runs this")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def kept(folder: Path) -> Secrets:
    """The secrets in `folder`, made at its first start; PermissionError where others could have read or set one."""
    return Secrets({user: _kept(folder / name) for user, name in FILES.items()})


def _kept(file: Path) -> str:
    try:
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        pass
    else:
        with open(made, "w") as new:
            new.write(secrets.token_urlsafe(32))
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW)) as held:
        found = os.fstat(held.fileno())
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(f"{file} could be read or written by others: remove it, and a new one is made")
        secret = held.read().strip()
    if len(secret) < 32:
        raise PermissionError(f"{file} holds no secret: remove it, and a new one is made")
    return secret
