"""A shard's state lives in one step: built with its key, frozen with a format, thawed where it was."""

from datetime import timedelta

import pytest
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.engine.runner import REFUSED, root, run
from flows.engine.wiring import _Stepping, flow
from flows.kafka.epochs import Stopping
from flows.recovery.directory import Recovery
from flows.recovery.sealing import current
from flows.refusal import Refused
from operators.evolving import Part, freeze, thaw


class Sum:
    def __init__(self, key: str, frozen: bytes | None) -> None:
        self.key = key
        self.total = int(frozen) if frozen else 0

    def on_batch(self, batch: int) -> list[str]:
        self.total += batch
        return [f"{self.key}={self.total}"]

    def freeze(self) -> bytes:
        return str(self.total).encode()


def test_each_shard_has_its_own_state_and_items_keep_their_key():
    out: list = []
    run_main(flow("sums", TestingSource([("a", 1), ("b", 5), ("a", 2)]), [("sum", Sum)], TestingSink(out)))
    assert out == [("a", "a=1"), ("b", "b=5"), ("a", "a=3")]


def test_a_resumed_flow_goes_on_with_the_state(tmp_path):
    out: list = []
    items = [("a", 1), ("b", 5), TestingSource.ABORT(), ("a", 2), ("b", 1)]
    dataflow = flow("sums", TestingSource(items), [("sum", Sum)], TestingSink(out))
    recovery = Recovery(tmp_path)
    config = recovery.bind(dataflow, {})
    for _ in range(2):
        run_main(dataflow, epoch_interval=timedelta(0), recovery_config=config)
    recovery.close()
    assert out[-2:] == [("a", "a=3"), ("b", "b=6")]


def sealed(state, where="market.book.state of shard-0001"):
    return current().seal(where, state)


def refusal(build, saved):
    with pytest.raises(Refused) as refused:
        _Stepping("market.book", build, saved).on_batch([("shard-0001", 1)])
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("saved", [b"\x01rest", b"\x07rest"])
def test_a_state_of_another_format_is_refused_with_what_to_do(saved):
    assert refusal(Sum, saved) == (
        f"market.book of shard-0001: the recovered state cannot be used: it was saved in format {saved[0]}, not 3;"
        " let the release that saved it run until its lag is 0 and stop it, then start with a new recovery directory"
    )


@pytest.mark.parametrize("at", range(20))
def test_a_state_that_was_altered_is_refused_whichever_byte_it_was(at):
    saved = bytearray(sealed(b"123"))
    saved[at] ^= 1
    assert "was altered since it was saved" in refusal(Sum, bytes(saved)) or at == 0


def test_a_state_of_another_shard_or_step_is_refused():
    for where in ("market.book.state of shard-0002", "market.ladder.state of shard-0001"):
        assert "was altered since it was saved" in refusal(Sum, sealed(b"123", where))


class Narrower:
    def __init__(self, key: str, frozen: bytes | None) -> None:
        thaw(freeze([(Part("walls", "1"), b"")]), [Part("walls", "2")])


def test_a_state_that_the_operators_of_now_cannot_take_up_is_refused():
    assert (
        "used: walls is 1 in the recovered state and 2 now, and is not declared to begin anew; let the release that"
        in refusal(Narrower, sealed(b""))
    )


class Renamed(Sum):
    def __init__(self, key: str, frozen: bytes | None) -> None:
        super().__init__(key, {b"1": frozen}[frozen])


def test_a_state_in_another_shape_than_is_read_is_refused_whatever_reading_it_raises():
    """It was a crash that every restart met again, with exit code 1."""
    assert "cannot be used: KeyError: b'12'; let the release that" in refusal(Renamed, sealed(b"12"))


def test_a_thawed_state_that_got_nothing_is_saved_as_it_was():
    assert _Stepping("market.book", Sum, b"\x0112").snapshot() == b"\x0112"


class Broken(Sum):
    def on_batch(self, batch: int) -> list[str]:
        raise Refused("this shard\nwill not go on")


def test_a_refusal_deep_in_a_flow_is_one_line_and_exit_code_2(tmp_path, capfd):
    dataflow = flow("sums", TestingSource([("a", 1)]), [("sum", Broken)], TestingSink([]))
    recovery = Recovery(tmp_path)
    assert run(dataflow, recovery, {}, Stopping()) == REFUSED
    recovery.close()
    assert capfd.readouterr().err == "sums: this shard\n"
    assert "Traceback" in (tmp_path / "crash.log").read_text()


def test_the_root_of_an_error_is_what_was_raised_first():
    try:
        try:
            raise ValueError("first")
        except ValueError as error:
            raise RuntimeError("second") from error
    except RuntimeError as error:
        assert str(root(error)) == "first"


def test_the_root_of_a_refusal_is_the_refusal_whatever_led_to_it():
    with pytest.raises(RuntimeError) as caught:
        try:
            try:
                raise KeyError("detail")
            except KeyError:
                raise Refused("one line") from None
        except Refused as error:
            raise RuntimeError("engine") from error
    assert str(root(caught.value)) == "one line"
