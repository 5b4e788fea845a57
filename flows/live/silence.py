"""Silence: which channels and instruments say nothing while others do; a venue that breaks off says so to nobody."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows.live.feed import Channel, Stream

LONGEST = 64
"""At most so many times the patience that a channel asks for, when asking again did not help."""
WHOLE_S = 6 * 3600.0
"""A channel that may say nothing as long as it likes (liquidations) is suspected when no instrument of it says anything
for so long: a venue that moved it elsewhere says nothing either, and for days nobody notices."""


@dataclass(slots=True)
class _Heard:
    stream: Stream
    at_s: float
    patience: int = 1
    again_s: float = 0.0
    """Not asked for again before."""


class Silence:
    """When each stream was last heard; times are seconds of a clock that never steps."""

    def __init__(self, streams: Iterable[Stream], now_s: float) -> None:
        self._heard = {stream.name: _Heard(stream, now_s) for stream in streams}
        self._deaf: dict[str, tuple[int, float]] = {}
        """By the first stream of a connection that brings nothing: the patience with it, and when it is over."""

    def hear(self, name: str, now_s: float) -> None:
        """A frame of a stream."""
        if heard := self._heard.get(name):
            heard.at_s, heard.patience, heard.again_s = now_s, 1, 0.0

    def look(self, now_s: float) -> tuple[list[Channel], list[Stream]]:
        """Channels of which nothing comes while other channels move, and streams silent while their channel moves.

        What is named is asked for again, and named again only after twice the time: an instrument that hardly trades
        is not asked for every minute.
        """
        latest = self._latest()
        by_channel: dict[str, list[_Heard]] = {}
        for heard in self._heard.values():
            by_channel.setdefault(heard.stream.channel.name, []).append(heard)
        channels: list[Channel] = []
        streams: list[Stream] = []
        for name, all_heard in by_channel.items():
            own_s = all_heard[0].stream.channel.quiet_s
            quiet_s = WHOLE_S if own_s is None else own_s
            silent = [h for h in all_heard if now_s - h.at_s > quiet_s]
            due = [h for h in silent if now_s >= h.again_s]
            if not due:
                continue
            if len(silent) == len(all_heard):
                if any(now_s - at < quiet_s for other, at in latest.items() if other != name):
                    channels.append(all_heard[0].stream.channel)
                    streams += self._again(due, now_s, quiet_s)
            elif own_s is not None and now_s - latest[name] < quiet_s:
                streams += self._again(due, now_s, quiet_s)
        return channels, streams

    def silent(self, now_s: float) -> dict[str, int]:
        """How many streams of each channel say nothing for longer than the channel asks for.

        Of a channel whose streams may be silent, all are when none of them has said anything for `WHOLE_S`.
        """
        found: dict[str, int] = {}
        latest = self._latest()
        for heard in self._heard.values():
            channel = heard.stream.channel
            at_s, quiet_s = (heard.at_s, channel.quiet_s) if channel.quiet_s else (latest[channel.name], WHOLE_S)
            found[channel.name] = found.get(channel.name, 0) + (now_s - at_s > quiet_s)
        return found

    def _latest(self) -> dict[str, float]:
        """When each channel was last heard."""
        latest: dict[str, float] = {}
        for heard in self._heard.values():
            name = heard.stream.channel.name
            latest[name] = max(latest.get(name, 0.0), heard.at_s)
        return latest

    def deaf(self, streams: Sequence[Stream], now_s: float) -> bool:
        """Whether all streams of a connection are silent for twice as long as the most talkative of them may be.

        Its socket may well be alive, and the venue has forgotten what it was asked for. Said again only after twice the
        time: it may have nothing to say.
        """
        patient = [s.channel.quiet_s for s in streams if s.channel.quiet_s is not None]
        if not patient:
            return False
        key, quiet_s = streams[0].name, 2 * min(patient)
        if now_s - max(self._heard[s.name].at_s for s in streams) <= quiet_s:
            self._deaf.pop(key, None)
            return False
        patience, until_s = self._deaf.get(key, (1, 0.0))
        if now_s < until_s:
            return False
        self._deaf[key] = min(2 * patience, LONGEST), now_s + 2 * patience * quiet_s
        return True

    @staticmethod
    def _again(silent: list[_Heard], now_s: float, quiet_s: float) -> list[Stream]:
        for heard in silent:
            heard.again_s = now_s + quiet_s * heard.patience
            heard.patience = min(heard.patience * 2, LONGEST)
        return [heard.stream for heard in silent]
