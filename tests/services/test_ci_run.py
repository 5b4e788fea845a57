"""`.ci/run` runs what the README says, fails when it fails, and says so when the README says nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout whose environment is made already."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci" / "run")
    (tmp_path / ".venv").mkdir()
    return tmp_path


def ci(clone: Path, readme: str) -> subprocess.CompletedProcess[str]:
    (clone / "README.md").write_text(readme)
    # from elsewhere: the command runs at the root of the checkout wherever the script is called
    return subprocess.run([clone / ".ci" / "run"], cwd="/", capture_output=True, text=True, check=False)


def test_it_runs_the_marked_block_and_no_other_at_the_root_of_the_checkout(clone: Path) -> None:
    first, marked, last = (f"```sh\n{line}\n```\n\n" for line in ("echo first", "pwd && echo tested", "echo last"))
    run = ci(clone, f"# A\n\n{first}<!-- test command -->\n\n{marked}{last}")
    assert run.returncode == 0
    assert run.stdout == f"+ pwd && echo tested\n{clone}\ntested\n"
    assert run.stderr == ""


def test_its_exit_code_is_that_of_the_command(clone: Path) -> None:
    assert ci(clone, "<!-- test command -->\n```sh\nexit 7\n```\n").returncode == 7


def test_a_failure_in_the_middle_of_the_block_ends_it(clone: Path) -> None:
    run = ci(clone, "<!-- test command -->\n```sh\nfalse | true\necho unreached\n```\n")
    assert run.returncode == 1
    assert "unreached\n" not in run.stdout.replace("+ false | true\necho unreached\n", "")


@pytest.mark.parametrize(
    "readme",
    [
        "# AlphaPlus\n",
        "```sh\necho unmarked\n```\n",
        "<!-- test command -->\n```sh\n```\n",
        "<!-- test command -->\nprose between\n```sh\necho far\n```\n",
        "<!-- test command -->\n```python\nprint()\n```\n",
    ],
)
def test_without_the_marked_block_it_fails_with_one_clear_line(clone: Path, readme: str) -> None:
    run = ci(clone, readme)
    assert run.returncode == 2
    assert run.stderr == '.ci/run: README.md has no ```sh block right below a line "<!-- test command -->"\n'
    assert run.stdout == ""
