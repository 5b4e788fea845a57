"""Accounts: some of the simulated traders, published as an account service would publish them."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.simulator.frame import Frame
from models.simulator.simulation import Settings
from models.simulator.state import State, buffers, plan, second

LOOK_AHEAD_S = 240
SEEN_FIRST_S = 40


class Balance(msgspec.Struct, frozen=True):
    """Money of an account; the wallet includes what is set aside as isolated margin."""

    asset: str
    wallet: float


class Holding(msgspec.Struct, frozen=True):
    """One position; `qty_base` is positive when long; a cross position is held by the wallet alone."""

    venue: str
    symbol: str
    qty_base: float
    entry_price: float
    leverage: int
    margin_mode: str
    isolated_margin: float | None


class Account(msgspec.Struct, frozen=True):
    """An account at `as_of`, ms since 1970."""

    account: str
    as_of: int
    balances: list[Balance]
    positions: list[Holding]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose positions an account holds: (instrument, trader); a cross account has exactly one."""

    account: str
    traders: tuple[tuple[int, int], ...]
    margin_mode: str = "isolated"


_encode = msgspec.json.Encoder().encode


def doomed(settings: Settings, state: State) -> list[tuple[int, int]]:
    """Traders whose present position ends in a liquidation between 40 s and 4 min from now, soonest first.

    Found by running a copy of the market ahead: what is published of a market does not move it.
    """
    ahead, out = state.copy(), buffers(settings)
    now_ms = 1000 * int(state.clock["second"][0])
    found = []
    horizon = LOOK_AHEAD_S if settings.seconds is None else min(LOOK_AHEAD_S, settings.seconds)
    for _ in range(horizon):
        for _, count in second(ahead, out, plan(settings, steps=settings.steps), settings.trades_per_s):
            for row in out.truth[:count]:
                seen = row["event_ms"] - now_ms >= 1000 * SEEN_FIRST_S
                if seen and row["opened_ms"] == state.crowds[row["instrument"], row["trader"]]["opened_ms"]:
                    found.append((int(row["instrument"]), int(row["trader"])))
    return found


def distances_bps(state: State) -> NDArray[np.float64]:
    """How far each trader's liquidation price is from the mark, in bps of it; NaN without a position."""
    mark = state.markets["mark"][:, None]
    distance = 1e4 * np.abs(state.crowds["liquidation"] / mark - 1.0)
    return np.where(state.crowds["lots"] != 0, distance, np.nan)


def choose(settings: Settings, state: State) -> list[Owner]:
    """Which traders are published: a third of those soon liquidated, the rest from near to far, some in pairs.

    A pair is of two instruments, as an account has one position in each.

    Every fourth account is in cross margin with a single position, whose liquidation price is that of the isolated.
    """
    if settings.accounts == 0:
        return []
    first = doomed(settings, state)[: max(1, settings.accounts // 3)]
    distance = distances_bps(state)
    by_distance = [
        (int(i), int(j))
        for i, j in zip(*np.unravel_index(np.argsort(distance, axis=None), distance.shape), strict=True)
        if np.isfinite(distance[i, j]) and (int(i), int(j)) not in first
    ]
    places = np.geomspace(1, max(1, len(by_distance)), 2 * settings.accounts).astype(int) - 1
    rest = list(dict.fromkeys(by_distance[p] for p in places)) if by_distance else []
    owners = []
    for k in range(settings.accounts):
        cross = k % 4 == 3
        own = [first.pop(0)] if first else [rest.pop(0)] if rest else []
        second = next((r for r in reversed(rest) if own and r[0] != own[0][0]), None)
        if second and k % 2 == 0 and not cross:
            rest.remove(second)
            own.append(second)
        owners.append(Owner(f"sim-{k + 1:03d}", tuple(own), "cross" if cross else "isolated"))
    return owners


def account(owner: Owner, settings: Settings, state: State, as_of_ms: int) -> Account:
    """What an owner's account shows now. A cross wallet is the margin of its one position, else the cash."""
    wallet, positions = 0.0, []
    for i, j in owner.traders:
        trader, cross = state.crowds[i, j], owner.margin_mode == "cross"
        wallet += float(trader["margin"]) + (0.0 if cross and trader["lots"] else float(trader["cash"]))
        if trader["lots"]:
            quantity = float(trader["lots"]) * float(state.markets[i]["lot"])
            margin = None if cross else float(trader["margin"])
            entry, leverage = float(trader["entry"]), int(trader["leverage"])
            positions.append(
                Holding(settings.venue, settings.symbols[i], quantity, entry, leverage, owner.margin_mode, margin)
            )
    return Account(owner.account, as_of_ms, [Balance("USDT", wallet)], positions)


def frames(owners: list[Owner], settings: Settings, state: State, sent: dict[str, Account]) -> list[Frame]:
    """Accounts frames at the end of a second: each account every `accounts_every_s`, or on change when that is 0."""
    now = int(state.clock["second"][0])
    every, since = settings.accounts_every_s, now - settings.start_ns // 1_000_000_000
    out = []
    for owner in owners:
        record = account(owner, settings, state, 1000 * now)
        if (every and since % every == 0) or changed(sent, record):
            received_ns = 1_000_000_000 * now + 2_000_000
            out.append(Frame(received_ns, "accounts", owner.account, _encode(record)))
            sent[owner.account] = record
    return out


def changed(sent: Mapping[str, Account], record: Account) -> bool:
    """Whether an account differs from what was last sent of it."""
    last = sent.get(record.account)
    return last is None or (last.balances, last.positions) != (record.balances, record.positions)
