"""The fence that the system puts around the store: of files it reaches its own folder and its code, and no address.

Landlock (Linux 5.13 and later; connections from 6.7) holds for the calling thread and for all that it starts, whatever
the engine is talked into: functions that read files, statements that move folders, engines that fetch. It cannot be
taken off again. Where the system has none, the engine's own rights (`rights.py`) are all there is.
"""

import contextlib
import ctypes
import os
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_ALL_OF_VERSION = {1: 2**13 - 1, 2: 2**14 - 1, 3: 2**15 - 1, 5: 2**16 - 1}
"""Accesses to files that each version knows: refer came with 2, truncate with 3, device control with 5."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 2**14
_CODE = _EXECUTE | _READ_FILE | _READ_FOLDER
_BIND_AND_CONNECT = 3
_NET_SINCE = 4
_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/localtime"),
    *("/etc/ld.so.cache", "/sys/fs/cgroup", "/sys/devices/system", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat"),
    *("/proc/self/stat", "/proc/self/statm", "/proc/self/status", "/proc/self/maps", "/proc/self/cgroup"),
    *("/proc/self/mountinfo", "/proc/self/limits", "/dev/urandom", "/dev/random"),
)


def fence(*folders: Path) -> bool:
    """From now on nothing but `folders`, code and what says how the system is; whether the system has such a fence.

    It holds for threads that are started afterwards: call it before the engine is loaded. OSError if it fails.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    known = max(all_of for since, all_of in _ALL_OF_VERSION.items() if since <= version)
    handled = struct.pack("QQ", known, _BIND_AND_CONNECT if version >= _NET_SINCE else 0)
    rules = _asked(system.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0))
    try:
        for folder in folders:
            _allow(system, rules, folder, known & ~_EXECUTE)
        for path in _code():
            with contextlib.suppress(FileNotFoundError, PermissionError):
                _allow(system, rules, path, known & _CODE)
        with contextlib.suppress(FileNotFoundError):
            _allow(system, rules, Path("/dev/null"), known & (_READ_FILE | _WRITE_FILE))
        _asked(system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _asked(system.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)
    return True


def _allow(system: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(at).st_mode):
            access &= _OF_FILES
        rule = struct.pack("=Qi", access, at)
        _asked(system.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0))
    finally:
        os.close(at)


def _code() -> Iterable[Path]:
    """Where Python, its packages and this one are, and what tells the engine of the machine; not the working folder."""
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return dict.fromkeys([Path(__file__).parents[2] / "deploy", *map(Path, (*installed, *_SYSTEM))])


def _asked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"the fence cannot be put up: {os.strerror(ctypes.get_errno())}")
    return answer
