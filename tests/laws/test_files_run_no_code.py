"""What comes from a file is data: no module reads pickles or runs text, but for the one that opens sealed states."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "operators", "models", "flows", "deploy")
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "import_module"}
SEALING = "flows/recovery/sealing.py"
"""Reads pickles with a reader that makes plain values only, after the keyed checksum."""
BY_NAME = {
    "flows/session/preflight.py",
    "flows/commands/run.py",
    "flows/bench/timed.py",
    "flows/bench/alternatives/scan.py",
}
"""Import modules whose names the code itself lists."""


def found(source: str) -> set[str]:
    """What of it could run what a file holds."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            out |= {name.name.partition(".")[0] for name in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            out |= {(node.module or "").partition(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            if name in CALLS and not (name == "compile" and isinstance(called, ast.Attribute)):
                out.add(name)
            if any(k.arg == "allow_pickle" for k in node.keywords):
                out.add("allow_pickle")
    return out


@pytest.mark.parametrize(
    "source", ["import pickle", "from joblib import load", "eval(text)", "np.load(f, allow_pickle=True)"]
)
def test_the_law_sees_what_it_is_to_forbid(source: str) -> None:
    assert found(source)


def test_no_module_runs_what_a_file_holds() -> None:
    seen = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if names := found(path.read_text()):
                seen[path.relative_to(ROOT).as_posix()] = names
    assert seen.pop(SEALING) == {"pickle"}
    assert seen == {path: {"import_module"} for path in BY_NAME}
