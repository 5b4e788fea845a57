"""What a process says of itself, and that one which cannot say it is down, not an error."""

import socket
import threading

import pytest

from flows.monitoring.health import Health, scrape

TEXT = b"# TYPE alphaplus_rows counter\nalphaplus_rows_total 3.0\n"


def answering(answer: bytes) -> int:
    """A port on which the next question is answered so, and the connection closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as asked:
            asked.recv(65_536)
            asked.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length


def test_the_totals_of_a_process_that_answers():
    health = scrape(answering(head(len(TEXT)) + TEXT))
    assert (health.up, health.totals["alphaplus_rows_total"]) == (True, 3.0)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", head(2_581), head(2_581) + TEXT, b"no HTTP\r\n\r\n"])
def test_a_process_that_dies_while_it_answers_is_down(answer):
    assert scrape(answering(answer)) == Health(False, {})


def test_a_process_that_is_gone_is_down():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    assert scrape(port) == Health(False, {})
