"""Continuity: whether a depth message may be applied to a book, by the venue's own rule of sequence.

A book is `EMPTY` (nothing trusted: before the first snapshot and after a gap), `JOINING` (it is a snapshot, and the
first diff after it has its own test) or `LIVE`. `last` is the id that the book stands at: the snapshot's, then that of
the last message applied; `u` is the message's last id, `first` its first, `previous` the id it says it follows.

| venue | drop | first diff after a snapshot | diffs after that |
| --- | --- | --- | --- |
| Binance futures | `u < last`; later `u <= last` | `first <= last <= u` or `previous == last` | `previous <= last` |
| Binance spot | `u <= last` | `first <= last + 1 <= u` | the same |
| Bybit | a repeat | `u == last + 1` | the same; `u == 1` is a restart of the service: a gap |
| OKX | a repeat | `previous == last`; by REST `previous < last < u` | `previous == last`, wherever `u` goes |
| Deribit | a repeat | `previous == last` | the same |

On Binance diffs may overlap the book, as those of two streams of it do (`@depth@100ms` beside `@depth@500ms`): one that
ends behind the book and follows nothing later than it brings all that changed since, in absolute sizes. What has a
smaller id than the book there, at a time more than `SET_BACK_NS` later, is not old: the venue has set its ids back (a
symbol is listed anew), so such a diff is a gap, and such a snapshot replaces the book. A diff that no diff came before
since the snapshot is old for longer (`FETCHED_NS`), for the stream may lag behind what was fetched. One of a larger id
at a time so much earlier is of before they were set back, and dropped; of diffs that are held, see `held.of_one_count`.

Anything else is a gap, and so is a message of the chain that could not be used (`REFUSED`). A snapshot replaces the
book, but for one that is not newer than a trusted book (on Binance, where it comes by REST beside the stream, by its
id; elsewhere by id and time): that adds nothing to a chain without gaps and is dropped. A repeat on Bybit, OKX and
Deribit, as of a second recorder, is the very message applied last, or one that is older than it in event time, or of
its time with an id not greater; not merely a smaller id: ids that restart must not leave a frozen book that looks
alive.

What a snapshot replaces was trusted until then, so updates may have been missed unnoticed before it (`missed`). In the
stream that is so unless it stands where the chain does; on Binance the next diff tells, which continues the chain from
before the snapshot or does not.

Diffs that meet an empty book are held and tried again on the next snapshot. There, on the venues whose snapshots come
in the stream (all but Binance), a held diff that does not join the snapshot is older than it and is dropped; unless it
came by REST, and the diff follows a later id at a later time: then the answer was too old, and begins no book.

Where the stream sends snapshots, one that came by REST (`ASKED`) begins a book, but replaces none that the stream has
given or continued: it may have fewer levels, and ids of another count. After `ASKED_AFTER_NS` of silence it does.

How many updates never came (`lost`) only those venues tell whose ids count: Bybit's its messages, Binance spot's the
changes of a book. The ids of Binance's futures, OKX and Deribit prove that something is missing, not how much.

An OKX message without ids (recordings from before they were sent) is applied unverified.

Sources: Binance "How to manage a local order book correctly" (USD-M and spot; spot since 2025: start again only if
`U > update id + 1`), with `previous == last` after a snapshot as recorded by
tardis-node `src/mappers/binance.ts`; Bybit v5, OKX v5 and Deribit v2 order-book documents.

>>> verdict(Sequencing.BINANCE_SPOT, LIVE, 100, NO_ID, False, 101, 110, NO_ID, False) == APPLY
True
>>> verdict(Sequencing.BINANCE_SPOT, LIVE, 100, NO_ID, False, 102, 110, NO_ID, False) == GAP
True
"""

from schemas.batches import AFTER_SILENCE, ASKED, BESIDE, REFUSED, WHOLE, Sequencing
from schemas.kernels import inner, kernel

EMPTY, JOINING, LIVE = 0, 1, 2
"""Whether the book may be trusted, and by which test the next diff joins it."""

APPLY, REPLACE, DROP, HOLD, GAP = 0, 1, 2, 3, 4
"""What to do with a message; `GAP`: drop the book, then hold the message."""

NO_ID = -1
"""An id that the venue does not send."""

UNTOLD = -1
"""A number of lost updates that ids do not tell."""

ASKED_AFTER_NS = 90_000_000_000
"""Event time without a message of the stream (OKX sends one a minute) after which REST may replace its book."""

SET_BACK_NS = 10_000_000_000
"""Event time after which a smaller id is not of the past on Binance: streams of one book, and recorders, differ in the
order of what they bring, but not in the time that the venue has given it."""

FETCHED_NS = 60_000_000_000
"""The same while the book is a fetched snapshot that no diff has joined yet: the stream may lag behind it. Where it
tells no time (spot's never do), after the first diff that is dropped."""

_FUTURES = int(Sequencing.BINANCE_FUTURES)
_SPOT = int(Sequencing.BINANCE_SPOT)
_BYBIT = int(Sequencing.BYBIT)
_OKX = int(Sequencing.OKX)


@kernel
def verdict(
    sequencing: int,
    state: int,
    last: int,
    last_previous: int,
    snapshot: bool,
    first: int,
    u: int,
    previous: int,
    replay: bool,
    later_ns: int = 1,
) -> int:
    """Judge one message against a book; `last_previous` is the `previous` of the message applied last.

    `replay` says that the message was held and is tried on a snapshot that came after it; `later_ns` is its event time
    less that of the message applied last; 1 where one of them has none.
    """
    from_rest = sequencing in (_FUTURES, _SPOT)
    if u == BESIDE or (u == REFUSED and state == EMPTY):
        return DROP
    if u == REFUSED:
        return GAP
    if snapshot:
        if previous == ASKED and state != EMPTY and last_previous != ASKED and later_ns <= ASKED_AFTER_NS:
            return DROP
        told = u <= last and (
            not (u < last and later_ns > SET_BACK_NS) if from_rest else u >= 0 and later_ns <= 0 and previous != WHOLE
        )
        return DROP if state != EMPTY and told else REPLACE
    if state == EMPTY:
        return HOLD
    if from_rest:
        if u < last and later_ns > (SET_BACK_NS if state == LIVE else FETCHED_NS):
            return GAP
        if u > last and later_ns < -SET_BACK_NS:
            return DROP
        return _binance(sequencing, state, last, first, u, previous)
    if u < 0:
        if sequencing != _OKX:
            return GAP
        return DROP if replay else APPLY
    if sequencing == _BYBIT:
        answer = DROP if u == last else APPLY if u == last + 1 else GAP
        if u == 1:
            answer = GAP
    elif previous == last or (sequencing == _OKX and state == JOINING and 0 <= previous < last < u):
        answer = APPLY
    elif sequencing == _OKX and state == JOINING and previous >= 0 and u <= last and later_ns <= SET_BACK_NS:
        answer = DROP
    else:
        answer = DROP if u == last and previous == last_previous else GAP
    if answer == GAP and (later_ns < 0 or (later_ns == 0 and u <= last)) and not (sequencing == _BYBIT and u == 1):
        answer = DROP
    after = (u - 1 if sequencing == _BYBIT else previous) > last
    if replay and state == JOINING and answer == GAP and not (last_previous == ASKED and after and later_ns > 0):
        answer = DROP
    return answer


@inner
def _binance(sequencing: int, state: int, last: int, first: int, u: int, previous: int) -> int:
    """Futures and spot differ in every comparison: `<` against `<=`, and what the chain is tested by."""
    if sequencing == _SPOT:
        if u <= last:
            return DROP
        return APPLY if first <= last + 1 else GAP
    if u < last:
        return DROP
    if state == LIVE and u == last:
        return DROP
    joins = previous == last or first <= last
    return APPLY if (joins if state == JOINING else NO_ID < previous <= last) else GAP


@inner
def missed(sequencing: int, last: int, u: int, previous: int) -> bool:
    """Whether a streamed snapshot does not stand where the chain of the trusted book that it replaces does."""
    if last < 0 or u < 0 or previous in (WHOLE, last) or u == last:
        return False
    return not (sequencing == _BYBIT and u == last + 1)


@inner
def continues(sequencing: int, before: int, first: int, u: int, previous: int) -> bool:
    """Whether a diff follows the message `before`, on Binance."""
    return first <= before + 1 <= u if sequencing == _SPOT else NO_ID < previous <= before


@inner
def counts(sequencing: int) -> bool:
    """Whether the venue's ids number its updates one by one."""
    return sequencing in (_BYBIT, _SPOT)


@inner
def lost(
    sequencing: int, due: int, what: int, snapshot: bool, first: int, u: int, previous: int, repeated: bool
) -> tuple[int, int]:
    """How many updates are missing before a message of a venue that `counts`, and the id that is due after it.

    `due`: the id after that of the stream's message before, 0 if none was; `repeated`: no message before it is older,
    so where its id is not new, it was delivered again. Snapshots by REST stand beside the stream. An update that could
    not be used is missed by the next one's id. `UNTOLD` where ids begin anew (Bybit's service restarts at 1, a symbol
    is listed anew, another view goes on), where there are none, or where nothing came from the stream before a gap.
    """
    if u == REFUSED or previous == ASKED:
        return 0, due
    if u < 0:
        return UNTOLD, due
    if sequencing == _SPOT and snapshot:
        return 0, due if due else u + 1
    if previous == WHOLE:
        return 0, u + 1
    if due == 0 or previous == AFTER_SILENCE:
        return UNTOLD if what == GAP or due else 0, u + 1
    begins = first if sequencing == _SPOT else u
    if begins >= due:
        return begins - due, u + 1
    if (sequencing == _SPOT and (what != GAP or repeated)) or repeated or u == due - 1:
        return 0, max(due, u + 1)
    return UNTOLD, u + 1
