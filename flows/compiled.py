"""Compiled: where machine code is cached, one folder for each state of all kernels.

numba's own cache looks at the file of a kernel only, not at the kernels that it calls from other files, and would go on
running what was compiled before those were changed. So the folder is named by a digest of every file with a kernel.
"""

import hashlib
import os
import shutil
import sys
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

    A NUMBA_CACHE_DIR that is set already (an image that was warmed) is left alone. None where nothing can be written:
    then each process compiles for itself.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alphaplus" / "compiled"
    folder = home / digest(Path(__file__).parents[1])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        by_age = sorted(home.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
    except OSError:
        return None
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return folder
