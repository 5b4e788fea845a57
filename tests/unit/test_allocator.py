"""Allocator: memory that was given back is there at the next turn, without asking the system for its pages again."""

import subprocess
import sys

import pytest

TURNS = """
import resource, sys
import numpy as np
from flows.engine import allocator

def turn():
    for array in [np.empty(1 << 18) for _ in range(8)]:
        array[:] = 1.0

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "kept":
    allocator.keep()
for _ in range(3):
    turn()
before = faults()
for _ in range(20):
    turn()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told")
def test_arrays_of_the_last_turn_cost_the_next_one_no_page_faults():
    def count(how):
        done = subprocess.run([sys.executable, "-c", TURNS, how], check=True, capture_output=True, text=True)
        return int(done.stdout)

    given_back, kept = count("given back"), count("kept")
    assert kept < 100
    assert given_back > 1_000
