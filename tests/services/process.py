"""A backend that is a child process of ours: signals, log file, and no survivor when the tests die."""

import contextlib
import os
import signal
import subprocess
import time
from abc import abstractmethod
from pathlib import Path

from tests.services.backend import Backend

ROOT = Path(__file__).parents[2]
TAIL_BYTES = 3_000


class ProcessBackend(Backend):
    """`command` is started in its own session, so that Ctrl-C reaches the tests only, which then stop it."""

    start_limit_s = 90.0
    stop_limit_s = 30.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests now."""

    def prepare(self) -> None:
        """What the data folder needs before the process starts."""
        return None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id; RuntimeError when there is none."""
        if self.process is None:
            raise RuntimeError(f"{self.label} was not started")
        return self.process.pid

    def start(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.label} runs already")
        self._release()
        self.prepare()
        self.ended_by_us = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # The guard reads a pipe that only we hold: however we end, it then reads the end of file and kills.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _ || kill -9 "$1"', "guard", str(self.process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._await_answer()

    def stop(self) -> None:
        if self.process is None:
            return
        if self.paused:
            self.resume()
        self.ended_by_us = True
        self.process.terminate()
        try:
            self.process.wait(self.stop_limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(
                f"{self.label} did not stop within {self.stop_limit_s:g} s and was killed\n{self.log_tail()}"
            ) from None
        self._release()

    def kill(self) -> None:
        self.ended_by_us = True
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.paused = False
        self._release()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self.paused = False

    def log_tail(self) -> str:
        if not self.log.exists():
            return "(no log)"
        return self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")

    def _await_answer(self) -> None:
        end = time.monotonic() + self.start_limit_s
        while not self.answers():
            assert self.process is not None
            code = self.process.poll()
            if code is not None or time.monotonic() > end:
                self.kill()
                what = f"ended with {code}" if code is not None else f"did not answer within {self.start_limit_s:g} s"
                raise RuntimeError(f"{self.label} {what}\n{self.log_tail()}")
            time.sleep(0.02)

    def _release(self) -> None:
        if self._guard is not None:
            assert self._guard.stdin is not None
            # the guard of a process that died by itself may be gone too: nothing is left to tell it
            with contextlib.suppress(BrokenPipeError), self._guard.stdin as pipe:
                pipe.write(b"\n")
            self._guard.wait()
            self._guard = None
