"""Compiled: where machine code is cached, one folder for each state of all kernels.

numba's own cache looks at the file of a kernel only, not at the kernels that it calls from other files, and would go on
running what was compiled before those were changed. So the folder is named by a digest of every file with a kernel.
"""

import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

PACKAGES = ("schemas", "operators", "models")
KEPT = 4


def digest(root: Path) -> str:
    """Of all sources below `root` that hold a kernel."""
    found = hashlib.blake2b(sys.version.encode(), digest_size=8)
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_bytes()
            if b"numba" in source or b"schemas.kernels" in source:
                found.update(str(path.relative_to(root)).encode() + source)
    return found.hexdigest()


def cache() -> Path | None:
    """Point numba at the folder of today's kernels and drop the oldest others; before any kernel is imported.

    A NUMBA_CACHE_DIR that is set already is left alone where it can be written. One that cannot, of an image on a
    read-only root, is read through links in a folder that can: what it lacks is compiled there. None where nothing can
    be written at all.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        with suppress(OSError):
            Path(given).mkdir(parents=True, exist_ok=True)
        if os.access(given, os.W_OK):
            return Path(given)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alphaplus" / "compiled"
    folder = home / digest(Path(__file__).parents[2])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        by_age = sorted(home.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
        if given:
            _link(Path(given), folder)
    except OSError:
        return None
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return folder


def _link(compiled: Path, folder: Path) -> None:
    """Whatever is below `compiled`, seen in `folder`; what is there already stays, for another process may use it."""
    for path in compiled.rglob("*.nb?"):
        link = folder / path.relative_to(compiled)
        link.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(path)
