"""Sealing: each saved state carries a keyed checksum, made with a key that lies outside the recovery directory.

    saved = format, HMAC-SHA256(key; place, state)[:16], state        place: the step and shard that the state is of

The engine unpickles what a recovery directory holds, so whoever could write there could run code here. All that flows
save is therefore sealed bytes, and before the engine gets to see the directory, each is opened: a state that somebody
altered, exchanged for another shard's, or made without the key is refused in one line and nothing of it is run.
"""

import hashlib
import hmac
import io
import os
import pickle
import secrets
import stat
from pathlib import Path
from typing import Any

from flows.refusal import Refused

FORMAT = b"\x03"
MAC_BYTES = 16
KEY_BYTES = 32
BEGIN_ANEW = (
    "let the release that saved it run until its lag is 0 and stop it, then start with a new recovery directory"
)
"""What to do about a recovered state that cannot be taken up."""


def place(step_id: str, key: str) -> str:
    """What a state is sealed for, by the name of the engine's step and the key.

    >>> place("market.read", "shard-3")
    'market.read of shard-3'
    """
    return f"{step_id} of {key}"


class Plain(pickle.Unpickler):
    """A reader of pickles that makes numbers, text, bytes and their tuples, lists and dicts, and calls nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse: plain values name no class."""
        raise pickle.UnpicklingError(f"it would call {module}.{name}")


class Seal:
    """A key, and what is made and known with it."""

    def __init__(self, key: bytes) -> None:
        """The key is used as it is."""
        self._key = key

    @property
    def name(self) -> str:
        """What tells this key from another and does not betray it."""
        return hashlib.blake2b(b"name", key=self._key, digest_size=8).hexdigest()

    def seal(self, place: str, state: bytes) -> bytes:
        """A state with its format and checksum."""
        return FORMAT + self._mac(place, state) + state

    def open(self, place: str, saved: bytes) -> bytes:
        """The state; ValueError if it is of another format, or not what was sealed here.

        >>> ours = Seal(b"key")
        >>> ours.open("market.book of a", ours.seal("market.book of a", b"state"))
        b'state'
        >>> ours.open("market.book of b", ours.seal("market.book of a", b"state"))
        Traceback (most recent call last):
        ValueError: it was altered since it was saved; restore the recovery directory, or start with a new one
        """
        if saved[:1] != FORMAT:
            raise ValueError(f"it was saved in format {saved[0] if saved else 'none'}, not {FORMAT[0]}; {BEGIN_ANEW}")
        state = saved[1 + MAC_BYTES :]
        if not hmac.compare_digest(self._mac(place, state), saved[1 : 1 + MAC_BYTES]):
            raise ValueError(
                "it was altered since it was saved; restore the recovery directory, or start with a new one"
            )
        return state

    def dump(self, place: str, value: Any) -> bytes:
        """A plain value, sealed."""
        return self.seal(place, pickle.dumps(value))

    def load(self, place: str, saved: bytes) -> Any:
        """A plain value that was sealed."""
        return plain(self.open(place, saved))

    def _mac(self, place: str, state: bytes) -> bytes:
        named = place.encode()
        made = hmac.new(self._key, len(named).to_bytes(4, "big") + named, "sha256")
        made.update(state)
        return made.digest()[:MAC_BYTES]


def plain(saved: bytes) -> Any:
    """What a pickle holds, without running anything of it."""
    return Plain(io.BytesIO(saved)).load()


_process = [Seal(secrets.token_bytes(KEY_BYTES))]


def use(seal: Seal) -> None:
    """Seal with this key from now on: a process has one recovery directory."""
    _process[0] = seal


def current() -> Seal:
    """The seal of this process; before `use` one that nobody else can open."""
    return _process[0]


def kept(path: Path, *, make: bool) -> Seal:
    """The seal whose key is in a file that others cannot read; if it is not there, one is made where it may be."""
    try:
        found = path.stat()
    except FileNotFoundError:
        if not make:
            raise Refused(
                f"the key {path} of the recovered states is missing: restore it (recovery.key_file), or start with a"
                " new recovery directory"
            ) from None
        _make(path)
        found = path.stat()
    if found.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(found.st_mode) & 0o027:
        raise Refused(f"{path} is the key of the recovered states, and others can read or write it: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Refused(f"{path} holds {len(key)} bytes, a key has {KEY_BYTES}: restore it, or remove it and begin anew")
    return Seal(key)


def _make(path: Path) -> None:
    """Write a new key, whole; who came first counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
