"""`alphaplus convert`: another recorder's files as one capture, which `replay` reads."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from flows.captures.capture import CaptureError
from flows.captures.conversion import Recorder, converted
from flows.settings.tree import SettingsError


def convert(
    recorder: Annotated[Recorder, Parameter(help="whose recording it is")],
    *files: Annotated[Path, Parameter(help="its files, of one venue; merged by the time of receipt")],
    out: Annotated[Path, Parameter(help="the capture to write, gzip where its name ends in .gz")],
) -> int:
    """Write recordings of cryptofeed or Tardis as one capture, `<receive time, ns> <JSON>` a line."""
    if not files:
        raise SettingsError("which files?")
    for path in files:
        if not path.is_file():
            raise SettingsError(f"{path}: there is no such file")
    if out.exists():
        raise SettingsError(f"{out} exists already")
    left_out: Counter[str] = Counter()
    partial, whole, count, first_ns, last_ns = out.with_name(out.name + ".partial"), False, 0, 0, 0
    try:
        with gzip.open(partial, "wb") if out.suffix == ".gz" else partial.open("wb") as file:
            for at_ns, frame in converted(recorder, files, left_out):
                file.write(b"%d %s\n" % (at_ns, frame))
                first_ns, last_ns, count = first_ns or at_ns, at_ns, count + 1
        if not count:
            raise CaptureError(f"{', '.join(map(str, files))}: hold no frames")
        whole = True
    except CaptureError as error:
        raise SettingsError(str(error)) from None
    finally:  # also where the disk is full, or somebody changes their mind
        if not whole:
            partial.unlink(missing_ok=True)
    partial.replace(out)
    print(f"{out}: {count:,} frames from {np.datetime64(first_ns, 'ns')} to {np.datetime64(last_ns, 'ns')} UTC")
    for what, times in left_out.most_common():
        print(f"left out: {times:,} {what}")
    return 0
