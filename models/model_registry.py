"""Registry: immutable model versions in a directory, and the pointer to the champion.

`versions/<version>/metadata.json` names every file of the version with its hash; the version itself is named by the
hash of its metadata, so equal training makes an equal version and no byte can change unseen. `champion.json` is
replaced in one move. What is corrupt or made for other features is refused with one line, and nothing is changed.
`settle` brings a file or folder to the disk before anything counts on it; without it that is left to the system.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from models.baselines import Baseline
from models.calibrator import Calibrator
from models.labels import LABEL_VERSION
from models.vector_items import FEATURE_VERSION, NAMES

T = TypeVar("T")
Settle = Callable[[Path], None]


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of a version: what it forecasts, what it was trained on, how it scored.

    Ratios are liquidated USD to the threshold of a burst, of the cases that it was fitted on: means, 99 % quantile.

    `baselines` are those of its own training, so that it can be scored wherever it is used.
    """

    position_side: str
    horizon_min: int
    booster: str
    calibrator: str
    rounds: int
    base_rate: float
    mean_burst_ratio: float
    mean_calm_ratio: float
    q99_ratio: float
    score: dict[str, float | None]
    baselines: dict[str, Baseline] = {}

    @property
    def key(self) -> tuple[str, int]:
        """Side and horizon."""
        return self.position_side, self.horizon_min


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a version is: `files` are hashes by name; spans in milliseconds since 1970; `data_hash` of the cases."""

    feature_version: str
    label_version: str
    features: list[str]
    trained_from_ms: int
    trained_to_ms: int
    data_hash: str
    parameters: dict[str, float]
    models: list[Card]
    files: dict[str, str] = {}


class _Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    champions: list[str] = []


@dataclass(frozen=True, slots=True)
class Version:
    """A version, checked: booster texts and calibrators by side and horizon."""

    version: str
    metadata: Metadata
    boosters: dict[tuple[str, int], str]
    calibrators: dict[tuple[str, int], Calibrator]


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"


def _left(path: Path) -> None:
    """To the system."""


def save(
    root: Path,
    about: Metadata,
    boosters: Mapping[tuple[str, int], str],
    calibrators: Mapping[tuple[str, int], Calibrator],
    settle: Settle = _left,
) -> str:
    """Write a version and return its name; the same version again changes nothing. It is not yet champion."""
    files: dict[str, bytes] = {}
    for card in about.models:
        files[card.booster] = boosters[card.key].encode()
        files[card.calibrator] = _json(calibrators[card.key])
    described = _json(msgspec.structs.replace(about, files={name: _hash(data) for name, data in files.items()}))
    version = "v" + _hash(described)[:12]
    final = root / "versions" / version
    if final.exists():
        load(root, version)
        return version
    partial = root / "versions" / f".{version}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, data in (*files.items(), ("metadata.json", described)):
        (partial / name).write_bytes(data)
        settle(partial / name)
    settle(partial)
    partial.rename(final)
    settle(final.parent)
    return version


def versions(root: Path) -> list[str]:
    """All versions, by name."""
    folder = root / "versions"
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def champion(root: Path) -> str | None:
    """The champion's name; None before the first promotion."""
    champions = _pointer(root).champions
    return champions[-1] if champions else None


def promote(root: Path, version: str, settle: Settle = _left) -> None:
    """Make a version champion, if it can be loaded; ValueError says why not, and the champion stays."""
    load(root, version)
    champions = _pointer(root).champions
    if champion(root) != version:
        _point(root, [*champions, version], settle)


def earlier(root: Path) -> str:
    """The champion before this one; ValueError when there is none to go back to."""
    champions = _pointer(root).champions
    if len(champions) < 2:
        raise ValueError("there is no earlier champion to go back to")
    return champions[-2]


def rollback(root: Path, settle: Settle = _left) -> str:
    """Make the champion before this one champion again, and return its name; ValueError when there is none to go to."""
    version = earlier(root)
    load(root, version)
    _point(root, _pointer(root).champions[:-1], settle)
    return version


def load(root: Path, version: str) -> Version:
    """A version with every byte checked. ValueError, in one line, when it is missing, corrupt or for other features."""
    folder = root / "versions" / version
    if version not in versions(root):
        raise ValueError(f"no model version {version!r} in {root}")
    described = _read(folder / "metadata.json", version)
    if "v" + _hash(described)[:12] != version:
        raise ValueError(f"model {version} is corrupt: metadata.json does not have the hash that names it")
    about = _decode(described, Metadata, f"model {version} is of another release, train it again: metadata.json")
    if about.feature_version != FEATURE_VERSION or about.features != list(NAMES):
        raise ValueError(f"model {version} was made for features {about.feature_version}, here are {FEATURE_VERSION}")
    if about.label_version != LABEL_VERSION:
        raise ValueError(f"model {version} was made for labels {about.label_version}, here are {LABEL_VERSION}")
    contents = {}
    for name, told in about.files.items():
        if Path(name).name != name:
            raise ValueError(f"model {version} is corrupt: its metadata names a file outside its folder, {name!r}")
        contents[name] = _read(folder / name, version)
        if _hash(contents[name]) != told:
            raise ValueError(f"model {version} is corrupt: {name} does not have the hash that its metadata tells")
    for card in about.models:
        if not {card.booster, card.calibrator} <= set(contents):
            raise ValueError(f"model {version} is corrupt: its metadata tells no hash of a file of {card.key}")
    calibrators = {
        card.key: _decode(contents[card.calibrator], Calibrator, f"model {version} is corrupt: {card.calibrator}")
        for card in about.models
    }
    boosters = {card.key: contents[card.booster].decode() for card in about.models}
    return Version(version, about, boosters, calibrators)


def _read(path: Path, version: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"model {version} is corrupt: {path.name} cannot be read ({error.strerror})") from None


def _decode(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"{what}: {error}") from None


def _pointer(root: Path) -> _Pointer:
    path = root / "champion.json"
    return _decode(path.read_bytes(), _Pointer, f"{path} is corrupt") if path.exists() else _Pointer()


def _point(root: Path, champions: list[str], settle: Settle) -> None:
    written = root / "champion.json.partial"
    written.write_bytes(_json(_Pointer(champions)))
    settle(written)
    written.replace(root / "champion.json")
    settle(root)
