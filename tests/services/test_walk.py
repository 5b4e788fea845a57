"""The walk, as printed: every command of its page runs, says what the page says, and leaves the picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows import walk

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
PAGE = walk.FOLDER / "README.md"


def test_the_recording_is_what_the_simulator_makes():
    for path, content in walk.files().items():
        assert path.read_bytes() == content, f"{path.name}: python -m flows.walk writes it"


def test_every_command_of_the_walk_does_what_the_page_says(tmp_path):
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    for name, module in (
        ("alphaplus", f'exec {sys.executable} -m flows "$@"'),
        ("python", f'exec {sys.executable} "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{module}\n")
        (tmp_path / name).chmod(0o755)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ALPHAPLUS_")}
    environ |= {"PATH": f"{tmp_path}:{environ['PATH']}", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    said, steps = "", 0
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if language == "text":
            assert said == text
            continue
        assert language == "sh"
        done = subprocess.run(
            ["sh", "-e", "-c", text], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said, steps = done.stdout, steps + 1
        if "replay" in text:
            assert "gaps 0, rejects 0" in said
            assert re.search(r"^alerts +1 ", said, re.MULTILINE)
            query = said.splitlines()[-1]
            assert query.startswith("alphaplus query --data ")
            again = subprocess.run(
                ["sh", "-c", query], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
            )
            assert "BTCUSDT" in again.stdout
    assert steps == 4
    assert (tmp_path / "walk.png").read_bytes().startswith(b"\x89PNG")
    assert "180 rows of account.csv" in said
