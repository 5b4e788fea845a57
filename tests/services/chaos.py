"""Chaos: processes killed at random moments and started again, the same way for the same seed."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Strike:
    """What is to be done: wait, then kill the process of this name."""

    after_ms: float
    victim: str


@dataclass(frozen=True, slots=True)
class Kill:
    """What was done; times are milliseconds since the campaign's start."""

    number: int
    victim: str
    pid: int
    killed_ms: float
    restarted_ms: float


def plan(seed: int, names: Sequence[str], low_ms: float, high_ms: float) -> Iterator[Strike]:
    """Strikes without end: uniform waits in [low_ms, high_ms], victims with equal chance; ValueError on no choice.

    >>> from itertools import islice
    >>> list(islice(plan(1, ["market"], 5, 5), 2))
    [Strike(after_ms=5.0, victim='market'), Strike(after_ms=5.0, victim='market')]
    """
    if not names:
        raise ValueError("no process to kill")
    if not 0 <= low_ms <= high_ms:
        raise ValueError(f"waits must be 0 <= low <= high, not {low_ms} and {high_ms} ms")
    return _strikes(random.Random(seed), sorted(names), low_ms, high_ms)


def _strikes(draw: random.Random, names: list[str], low_ms: float, high_ms: float) -> Iterator[Strike]:
    while True:
        yield Strike(draw.uniform(low_ms, high_ms), draw.choice(names))


@dataclass
class Chaos:
    """Kills (SIGKILL) and restarts among `processes`, which always holds those that run now.

    `restart(name)` starts a process again. A process that has ended by itself is a finding, not a victim: RuntimeError.
    """

    seed: int
    processes: Mapping[str, subprocess.Popen[bytes]]
    restart: Callable[[str], subprocess.Popen[bytes]]
    low_ms: float
    high_ms: float
    log: list[Kill] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processes = dict(self.processes)
        self._plan = plan(self.seed, list(self.processes), self.low_ms, self.high_ms)
        self._start = time.monotonic()

    def strike(self) -> Kill:
        """Carry out the next strike of the plan, and note it."""
        strike = next(self._plan)
        time.sleep(strike.after_ms / 1000)
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(
                    f"seed {self.seed}, after {len(self.log)} kills: {name} {_ended(process.returncode)}"
                )
        victim = self.processes[strike.victim]
        victim.kill()
        victim.wait()
        killed_ms = self._now_ms()
        self.processes = {**self.processes, strike.victim: self.restart(strike.victim)}
        done = Kill(len(self.log) + 1, strike.victim, victim.pid, killed_ms, self._now_ms())
        self.log.append(done)
        return done

    def run(self, kills: int) -> list[Kill]:
        """`kills` strikes, one after another."""
        return [self.strike() for _ in range(kills)]

    def _now_ms(self) -> float:
        return (time.monotonic() - self._start) * 1000


def _ended(code: int) -> str:
    return f"was ended by signal {-code}, not by us" if code < 0 else f"ended by itself with {code}"
