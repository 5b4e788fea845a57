"""Which channels and instruments are suspected, and how often."""

from flows.live.feed import streams
from flows.live.feeds_by_venue import FEEDS
from flows.live.silence import LONGEST, WHOLE_S, Silence

FEED = FEEDS["binance-usdm"]
STREAMS = streams(FEED, ["BTCUSDT", "ETHUSDT"])


def asked_again(quiet, hours, step_s=30.0):
    """Hours at which each quiet stream is asked for again, and how often its channel was called silent."""
    silence, found, channels = Silence(STREAMS, 0.0), {name: [] for name in quiet}, []
    for n in range(1, int(hours * 3600 / step_s) + 1):
        now_s = n * step_s
        for stream in STREAMS:
            if stream.name not in quiet:
                silence.hear(stream.name, now_s)
        said, again = silence.look(now_s)
        channels += [c.name for c in said]
        for stream in again:
            found[stream.name].append(now_s / 3600)
    return found, channels


def test_liquidations_that_no_instrument_has_for_hours_are_suspected_of_coming_from_elsewhere():
    """Days of them were missed unnoticed (aggr-server#54): the venue had moved the channel to another address."""
    quiet = ["btcusdt@forceOrder", "ethusdt@forceOrder"]
    found, channels = asked_again(quiet, 24)
    assert channels == ["liquidations", "liquidations"]
    for at in found.values():
        assert len(at) == 2 and at[0] > WHOLE_S / 3600 and at[1] > 2 * WHOLE_S / 3600


def test_one_instrument_without_liquidations_is_not_suspected_while_another_has_some():
    found, channels = asked_again(["ethusdt@forceOrder"], 24)
    assert (found, channels) == ({"ethusdt@forceOrder": []}, [])


def test_a_stream_that_stays_silent_is_asked_for_again_less_and_less_often():
    found, channels = asked_again(["ethusdt@depth@100ms"], 4)
    waits = [b - a for a, b in zip(found["ethusdt@depth@100ms"], found["ethusdt@depth@100ms"][1:], strict=False)]
    assert not channels
    assert waits == sorted(waits) and len(waits) > 3
    assert waits[-1] <= LONGEST * 60 / 3600 + 0.02


def test_nothing_is_suspected_while_nothing_moves_at_all():
    found, channels = asked_again([s.name for s in STREAMS], 8)
    assert not channels and not any(found.values())


def test_a_channel_is_called_silent_at_once_though_one_of_its_instruments_was_long_since():
    silence = Silence(STREAMS, 0.0)
    mute, late, called = "ethusdt@depth@100ms", "btcusdt@depth@100ms", []
    for now_s in range(10, 4_000, 10):
        for stream in STREAMS:
            if stream.name != mute and (stream.name != late or now_s < 3_000):
                silence.hear(stream.name, float(now_s))
        said, _ = silence.look(float(now_s))
        called += [now_s] * len(said)
    assert called[0] == 3_060


def test_a_connection_that_brings_nothing_at_all_is_renewed_less_and_less_often():
    """Its socket answers pings, and the venue has forgotten what it was asked for; nothing moves, so nothing is missed."""
    silence, renewed = Silence(STREAMS, 0.0), []
    market = [s for s in STREAMS if s.channel.socket == "market"]
    public = [s for s in STREAMS if s.channel.socket == "public"]
    for now_s in range(1, 1_000):
        silence.hear(public[1].name, float(now_s))
        renewed += [now_s] * silence.deaf(market, float(now_s))
        assert not silence.deaf(public, float(now_s))
    assert renewed == [31, 91, 211, 451, 931]
    silence.hear(market[0].name, 1_000.0)
    assert not silence.deaf(market, 1_030.0)
    assert silence.deaf(market, 1_031.0)


def test_liquidations_alone_on_a_connection_are_left_in_peace():
    silence = Silence(STREAMS, 0.0)
    assert not silence.deaf([s for s in STREAMS if s.channel.name == "liquidations"], 1e6)


def test_what_is_counted_as_silent_holds_liquidations_of_which_none_came_at_all():
    """The alert on it was silent too when a venue had moved that channel elsewhere."""
    silence = Silence(STREAMS, 0.0)
    for now_s in (1.0, WHOLE_S, WHOLE_S + 1.0):
        for stream in STREAMS:
            if stream.channel.name != "liquidations":
                silence.hear(stream.name, now_s)
        expected = {"depth": 0, "trades": 0, "derivatives": 0, "liquidations": 2 * (now_s > WHOLE_S)}
        assert silence.silent(now_s) == expected
    silence.hear("ethusdt@forceOrder", WHOLE_S + 2.0)
    assert silence.silent(WHOLE_S + 2.0)["liquidations"] == 0, "that one has none for long is ordinary"
