"""Chance: random numbers from a splitmix64 counter that lives in an array of one word, so that no state is global.

Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import kernel

U8 = NDArray[np.uint64]


def words(seed: int, names: tuple[str, ...]) -> U8:
    """One independent stream per name.

    >>> words(1, ("a", "b")).shape
    (2, 1)
    """
    digests = [hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8] for name in names]
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 1).copy()


@kernel
def uniform(word: U8) -> float:
    """A number in [0, 1); the word moves on.

    >>> w = np.zeros(1, np.uint64)
    >>> round(float(uniform(w)), 6)
    0.883311
    """
    word[0] += np.uint64(0x9E3779B97F4A7C15)
    z = word[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * 2.0**-53


@kernel
def normal(word: U8) -> float:
    """A standard normal number (Box & Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(word)))
    return radius * math.cos(2.0 * math.pi * uniform(word))


@kernel
def poisson(word: U8, mean: float, at_most: int) -> int:
    """A Poisson count by Knuth's product of uniforms, cut at `at_most`."""
    floor = math.exp(-mean)
    product = uniform(word)
    count = 0
    while product > floor and count < at_most:
        product *= uniform(word)
        count += 1
    return count
