"""The image: what its recipe promises, and code that was compiled into a place that cannot be written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.engine import compiled

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "deploy" / "Dockerfile").read_text()
LAST = RECIPE[RECIPE.rindex("\nFROM ") :]

AS_AN_IMAGE_STARTS = """
import sys
sys.path[:0] = {path!r}
from flows.engine import compiled
folder = compiled.cache()
import numpy as np
from numba import njit
sys.path.insert(0, {module!r})
import kernel_of_a_test
print(folder, kernel_of_a_test.twice(np.arange(3)).sum(), len(kernel_of_a_test.twice.stats.cache_hits))
"""


def test_the_image_runs_as_nobody_from_an_exec_entry_point():
    assert re.search(r"^USER 10001:10001$", LAST, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["alphaplus"\]$', LAST, re.MULTILINE)
    assert "pip install" not in LAST and "COPY . " not in LAST


def test_what_is_sent_to_the_build_is_named_one_by_one():
    lines = [x for x in (ROOT / ".dockerignore").read_text().splitlines() if x and not x.startswith("#")]
    assert lines[0] == "*"
    named = {x[1:] for x in lines if x.startswith("!")}
    packages = re.search(r"^packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert named == {"pyproject.toml", "README.md", *re.findall(r'"(\w+)"', packages[1])}


def bound(command: list[str]) -> list[str]:
    """The command without root's right to write whatever it likes."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv: root would write everywhere")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]


def test_compiled_code_that_cannot_be_written_is_used_and_what_it_lacks_is_compiled_beside_it(tmp_path):
    module = tmp_path / "module"
    module.mkdir()
    kernel = "from numba import njit\n\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
    (module / "kernel_of_a_test.py").write_text(kernel)
    warmed, scratch = tmp_path / "warmed", tmp_path / "scratch"
    warmed.mkdir()
    scratch.mkdir()
    program = AS_AN_IMAGE_STARTS.format(path=[str(ROOT), *sys.path], module=str(module))
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(warmed), "XDG_CACHE_HOME": str(scratch), "HOME": "/nonexistent"}
    environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def start():
        ran = subprocess.run(
            bound([sys.executable, "-c", program]), env=environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.split()

    where, total, _ = start()  # as the image is built
    assert (where, total) == (str(warmed), "6")
    for path in warmed.rglob("*"):
        path.chmod(0o555)
    warmed.chmod(0o555)
    where, total, hits = start()
    assert where.startswith(str(scratch)) and total == "6"
    assert hits == "1"
    assert all(path.is_symlink() for path in scratch.rglob("*.nb?"))
    assert start()[0] == where  # and again


def test_a_folder_for_compiled_code_that_can_be_written_or_made_is_left_alone(tmp_path, monkeypatch):
    new = tmp_path / "new"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(new))
    assert compiled.cache() == new
    assert list(new.iterdir()) == []
