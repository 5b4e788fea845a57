"""Risk by the page of definitions alone: an account, its rows worked out in fractions, slowly, from dictionaries.

Nothing of the operators is used: a liquidation price is looked for piece by piece between all prices at which a tier
begins or a wallet turns into a debt. What is not known is None.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

DOLLARS = ("FDUSD", "USDT", "USDC", "BUSD", "USD1", "USD", "BNFCR")
PRICED_BY = (
    ("binance-usdm", "{}USDT"),
    ("binance-usdm", "{}USDC"),
    ("bybit-linear", "{}USDT"),
    ("bybit-linear", "{}PERP"),
    ("okx-swap", "{}-USDT-SWAP"),
)
BASES = {"BTCUSDT": "BTC", "ETHUSDT": "ETH", "BTCUSDC": "BTC", "BTCPERP": "BTC", "ETHBTC": "ETH", "ETHUSDC": "ETH"}
BASES |= {"BTCUSDT_260327": "BTC", "BTC-USDT-SWAP": "BTC", "ETH-USDT-SWAP": "ETH", "PEPEUSDT": "PEPE"}
SETTLES = {"BTCUSDC": "USDC", "ETHUSDC": "USDC", "BTCPERP": "USDC", "ETHBTC": "BTC"}
Market = tuple[str, str]
Number = Fraction | None
Ladder = list[tuple[Fraction, Fraction, Fraction, Fraction]]
"""Floor, rate, deduction and largest leverage of each tier; OKX: up to so many contracts instead of the floor."""


def number(x: float | str | None) -> Number:
    """As it is written."""
    return None if x is None else Fraction(str(x))


def times(*factors: Number) -> Number:
    """Their product."""
    out = Fraction(1)
    for f in factors:
        if f is None:
            return None
        out *= f
    return out


def total(terms: Iterable[Number]) -> Number:
    """Their sum."""
    out = Fraction(0)
    for t in terms:
        if t is None:
            return None
        out += t
    return out


def over(a: Number, b: Number) -> Number:
    """A ratio to what is more than nothing."""
    return a / b if a is not None and b is not None and b > 0 else None


def most(numbers: Iterable[Number]) -> Number:
    """The largest that is known."""
    return max((n for n in numbers if n is not None), default=None)


class World:
    """Marks in force, tiers by market, the fee of closing and the rule of a venue, haircuts, and contracts' sizes."""

    def __init__(
        self,
        ladders: dict[Market, Ladder],
        fees: dict[str, str],
        at_entry: bool,
        haircuts: dict[str, str],
        contracts: dict[Market, str],
    ) -> None:
        """No mark yet."""
        self.ladders, self.at_entry, self.marks = ladders, at_entry, dict[Market, Fraction]()
        self.fees = {venue: Fraction(fee) for venue, fee in fees.items()}
        self.haircuts = {asset: Fraction(cut) for asset, cut in haircuts.items()}
        self.contracts = {market: Fraction(size) for market, size in contracts.items()}

    def dollars(self, asset: str) -> Number:
        """What one of an asset is."""
        if asset in DOLLARS:
            return Fraction(1)
        found = (self.marks.get((venue, name.format(asset))) for venue, name in PRICED_BY)
        return next((mark for mark in found if mark is not None), None)


class Leg:
    """A position of a record."""

    def __init__(self, world: World, told: dict[str, Any], legs: list[dict[str, Any]]) -> None:
        """`legs`: all positions of the record."""
        self.world, self.venue, self.symbol = world, told["venue"], told["symbol"]
        self.market = self.venue, self.symbol
        self.base, self.asset = BASES[self.symbol], told.get("settlement_asset") or SETTLES.get(self.symbol, "USDT")
        self.qty, self.entry = Fraction(str(told["qty_base"])), Fraction(str(told["entry_price"]))
        self.leverage, self.margin = number(told.get("leverage")), number(told.get("isolated_margin"))
        self.cross = told["margin_mode"] == "cross"
        self.mark = world.marks.get(self.market)
        self.price = self.entry if self.mark is None else self.mark
        self.ladder = world.ladders.get(self.market, [])
        self.at_entry = self.venue == "bybit-linear" and world.at_entry
        self.fee = world.fees.get(self.venue, Fraction(0))
        if self.venue == "okx-swap" and self.ladder:
            beside = [
                x
                for x in legs
                if (x["venue"], x["symbol"]) == self.market
                and (x is told or (self.cross and x["margin_mode"] == "cross"))
            ]
            size = world.contracts.get(self.market)
            held = None if size is None else sum(abs(Fraction(str(x["qty_base"]))) for x in beside) / size
            fits = [t for t in self.ladder if held is not None and held <= t[0]] or self.ladder[-1:]
            _, rate, _, leverage = fits[0]
            self.ladder = [(Fraction(0), rate + self.fee, Fraction(0), leverage)] if held is not None else []
        at_value = abs(self.qty) * self.entry
        sign = 1 if self.qty > 0 else -1
        lost = Fraction(0) if self.leverage is None else 1 / self.leverage
        charged = self.fee * at_value * max(1 - sign * lost, Fraction(0)) if self.venue != "okx-swap" else Fraction(0)
        self.closing = charged
        self.initial = self.initial_at(self.price)
        self.need = self.needed_at(self.price)
        self.profit = self.qty * (self.price - self.entry)

    def initial_at(self, price: Fraction) -> Number:
        """Initial margin at another mark."""
        value = abs(self.qty) * (self.entry if self.at_entry else price)
        return None if self.leverage is None else value / self.leverage + self.closing

    def needed_at(self, price: Fraction) -> Number:
        """Maintenance at another mark."""
        if not self.ladder:
            return None
        value = abs(self.qty) * (self.entry if self.at_entry else price)
        _, rate, less, _ = [t for t in self.ladder if t[0] <= value][-1]
        return value * rate - less + self.closing

    def edges(self, price: Fraction) -> list[Fraction]:
        """The factors of a price at which another tier begins."""
        return [] if self.at_entry else [floor / (abs(self.qty) * price) for floor, *_ in self.ladder if floor > 0]

    @property
    def tier(self) -> Ladder:
        """The tier of its notional."""
        return [t for t in self.ladder if t[0] <= abs(self.qty) * self.price][-1:]


Moving = Callable[[Leg], Number]
"""The price of a position that moves; None of the others."""


class Purse:
    """All that an account holds of an asset at a venue."""

    def __init__(self, world: World, asset: str, several: bool) -> None:
        """`several`: a pool of several assets has it."""
        self.asset, self.several, self.dollars = asset, several, world.dollars(asset)
        self.wallet = self.aside = Fraction(0)
        self.legs: list[Leg] = []
        cut = world.haircuts.get(asset, Fraction(0))
        self.bid, self.ask = (times(self.dollars, 1 - cut), self.dollars) if several else (self.dollars,) * 2

    def rated(self, bid: Number, ask: Number) -> None:
        """The rates of a record."""
        if not self.several or (bid is None and ask is None):
            return
        self.bid = self.bid if bid is None else bid
        self.ask = ask if ask is not None else max(self.bid or Fraction(0), self.dollars or Fraction(0))
        if self.bid is not None and self.ask is not None:
            self.bid, self.ask = min(self.bid, self.ask), max(self.bid, self.ask)

    def counts(self, held: Fraction) -> Number:
        """min(E bid, E ask)."""
        return Fraction(0) if held == 0 else times(held, self.bid if held > 0 else self.ask)


def roots(f: Callable[[Fraction], Number], edges: Iterable[Fraction]) -> list[Fraction]:
    """Where a function that is straight between edges is 0, above 0."""
    at = [Fraction(0), *sorted({e for e in edges if e > 0})]
    found = []
    for a, b in zip(at, [*at[1:], at[-1] + 1], strict=True):
        last = b == at[-1] + 1
        low, high = f(a), f(b)
        if low is None or high is None:
            return []
        # an edge belongs to the piece above it, with which the piece below meets
        if low == high:
            found += [a, b, *([Fraction(1)] if a <= 1 <= b else [])] if low == 0 else []
            continue
        x = a + (b - a) * low / (low - high)
        if x >= a and (last or x <= b):
            found.append(x)
    return [x for x in found if x > 0]


class Naive:
    """The rows of a record in a world."""

    def __init__(self, world: World, record: dict[str, Any]) -> None:
        """All of it."""
        self.world = world
        told = record["positions"]
        self.legs = [Leg(world, p, told) for p in told]
        crossed = list(dict.fromkeys(leg.venue for leg in self.legs if leg.cross))
        self.home = [*crossed, *(leg.venue for leg in self.legs), ""][0]
        named = any(b.get("venue") for b in record["balances"])
        several = {venue: self._several(record, venue) for venue in ("", *(leg.venue for leg in self.legs))}
        several |= {b["venue"]: self._several(record, b["venue"]) for b in record["balances"] if b.get("venue")}
        self.purses: dict[tuple[str, str], Purse] = {}
        for b in record["balances"]:
            venue = b.get("venue") or self.home
            purse = self.purses.setdefault((venue, b["asset"]), Purse(world, b["asset"], several[venue]))
            purse.wallet += Fraction(str(b["wallet"]))
            purse.rated(number(b.get("bid_rate")), number(b.get("ask_rate")))
        self.of: list[tuple[str, str]] = []
        for leg in self.legs:
            key = leg.venue if named or leg.cross else self.home, leg.asset
            purse = self.purses.setdefault(key, Purse(world, leg.asset, several[key[0]]))
            purse.legs.append(leg)
            purse.aside += Fraction(0) if leg.cross else leg.margin or Fraction(0)
            self.of.append(key)
        self.several = several

    def _several(self, record: dict[str, Any], venue: str) -> bool:
        held = {b["asset"] for b in record["balances"] if b.get("venue", "") in ("", venue)}
        if "BNFCR" in held:
            return True
        said = record.get("multi_assets")
        said = said.get(venue) if isinstance(said, dict) else said
        if said is not None:
            return bool(said)
        needs = {leg.asset for leg in self.legs if leg.venue == venue and leg.cross}
        return venue == "bybit-linear" or (bool(held) and not needs <= held)

    def pool(self, i: int) -> tuple[list[tuple[str, str]], list[Leg]]:
        """The purses and cross positions behind position i."""
        venue, asset = self.of[i]
        keys = [k for k in self.purses if k[0] == venue and (self.several[venue] or k[1] == asset)]
        return keys, [leg for leg, key in zip(self.legs, self.of, strict=True) if leg.cross and key in keys]

    def left(self, i: int, moving: Moving, coin: str, x: Fraction) -> tuple[Number, Number]:
        """Equity and maintenance of what backs position i, at x times the prices of what moves.

        In dollars for several assets, else in the one. A position without tiers needs its initial margin.
        """
        leg = self.legs[i]
        if not leg.cross:
            price = leg.price if moving(leg) is None else x * moving(leg)
            return total([leg.margin, leg.qty * (price - leg.entry)]), leg.needed_at(price)
        keys, members = self.pool(i)
        equity, need = [], []
        for key in keys:
            purse = self.purses[key]
            rate = x if purse.asset == coin and purse.asset not in DOLLARS else Fraction(1)
            held = purse.wallet - purse.aside
            for member in (m for m in purse.legs if m.cross):
                price = member.price if moving(member) is None else x * moving(member)
                held += member.qty * (price - member.entry)
                wants = member.needed_at(price) if member.ladder else member.initial_at(price)
                need.append(times(wants, purse.ask, rate) if purse.several else wants)
            equity.append(times(purse.counts(held), rate) if purse.several else held)
        return total(equity), total(need) if any(m.ladder for m in members) else None

    def rest(self, i: int, moving: Moving = lambda _: None, coin: str = "", x: Fraction = Fraction(1)) -> Number:
        """What is left of its equity beyond maintenance."""
        equity, need = self.left(i, moving, coin, x)
        return None if equity is None or need is None else equity - need

    def nearest(self, i: int, moving: Moving, coin: str) -> Number:
        """The factor nearest to 1 at which nothing is left."""
        _, members = self.pool(i) if self.legs[i].cross else ([], [self.legs[i]])
        edges = [e for leg in members if (price := moving(leg)) is not None for e in leg.edges(price)]
        for purse in self.purses.values() if self.legs[i].cross else ():
            crossed = [m for m in purse.legs if m.cross]
            swing = sum(m.qty * price for m in crossed if (price := moving(m)) is not None)
            still = sum(m.qty * ((m.price if moving(m) is None else 0) - m.entry) for m in crossed)
            if swing:
                edges.append(-(purse.wallet - purse.aside + still) / swing)
        found = roots(lambda x: self.rest(i, moving, coin, x), edges)
        return min(found, key=lambda x: (abs(x - 1), x), default=None)

    def position(self, i: int) -> dict[str, Number | bool | str]:
        """The numbers of `risk.positions`."""
        leg, purse = self.legs[i], self.purses[self.of[i]]
        owed = purse.ask if leg.cross and purse.several else purse.dollars
        marked = leg.mark is not None
        equity, need = self.left(i, lambda _: None, "", Fraction(1))
        in_dollars = equity if leg.cross and purse.several else times(equity, purse.dollars)
        row: dict[str, Any] = {
            "qty_base": leg.qty,
            "entry_price": leg.entry,
            "mark_price": leg.mark,
            "notional_usd": times(abs(leg.qty), leg.mark, purse.dollars),
            "unrealised_pnl_settled": leg.profit if marked else None,
            "unrealised_pnl_usd": times(leg.profit, purse.dollars) if marked else None,
            "initial_margin_usd": times(leg.initial, owed) if marked else None,
            "maintenance_margin_usd": times(leg.need, owed) if marked else None,
            "pool_equity_usd": in_dollars,
            "pool_maintenance_ratio": over(need, equity),
            "isolated_margin_usd": None if leg.cross else times(leg.margin, purse.dollars),
            "tier_max_leverage": leg.tier[0][3] if leg.tier else None,
            "liquidation_price": None,
            "underlying_move_bps": None,
        }
        if not leg.ladder:
            return row
        left = self.rest(i)
        x = self.nearest(
            i, lambda m: leg.price if m is leg or (m.market == leg.market and m.cross and leg.cross) else None, ""
        )
        row["liquidation_price"] = times(x, leg.price)
        row["everywhere"] = x is None and left is not None and left <= 0
        kin = [m for m in self.legs if m is leg or (m.base == leg.base and m.cross and leg.cross)]
        x = self.nearest(i, lambda m: m.price if m in kin else None, leg.base if leg.cross and purse.several else "")
        if marked and left is not None:
            away = abs(x - 1) * (1 if left > 0 else -1) if x is not None else Fraction(left > 0)
            row["underlying_move_bps"] = 10_000 * away
        return row

    def account(self) -> dict[str, Number | bool]:
        """The numbers of `risk.accounts`."""
        rows = [self.position(i) for i in range(len(self.legs))]
        owns = {k: p.wallet + sum(leg.profit for leg in p.legs) for k, p in self.purses.items()}
        equity = total(p.counts(owns[k]) for k, p in self.purses.items())
        values = [
            times(abs(leg.qty), leg.price, self.purses[k].dollars) for leg, k in zip(self.legs, self.of, strict=True)
        ]
        owed = [
            self.purses[k].ask if leg.cross and self.purses[k].several else self.purses[k].dollars
            for leg, k in zip(self.legs, self.of, strict=True)
        ]
        gross = total(values)
        net = total(times(v, Fraction(1 if leg.qty > 0 else -1)) for v, leg in zip(values, self.legs, strict=True))
        initial = total(times(leg.initial, o) for leg, o in zip(self.legs, owed, strict=True))
        used, ratios, gone = [], [], False
        for i, leg in enumerate(self.legs):
            behind, need = self.left(i, lambda _: None, "", Fraction(1))
            ratios.append(over(need, behind))
            gone |= behind is not None and behind <= 0
            if leg.cross:
                keys, members = self.pool(i)
                rate = {
                    id(m): self.purses[k].ask if self.purses[k].several else Fraction(1)
                    for k in keys
                    for m in members
                    if m in self.purses[k].legs
                }
                used.append(over(total(times(m.initial, rate[id(m)]) for m in members), behind))
        if self.legs and not any(leg.cross for leg in self.legs):
            used = [over(initial, equity)]
        weight = total(times(v, leg.leverage) for v, leg in zip(values, self.legs, strict=True))
        held = bool(self.legs)
        return {
            "equity_usd": equity,
            "gross_usd": gross,
            "net_usd": net,
            "initial_margin_usd": initial,
            "maintenance_margin_usd": total(times(leg.need, o) for leg, o in zip(self.legs, owed, strict=True)),
            "nearest_liquidation_bps": min(
                (r["underlying_move_bps"] for r in rows if r["underlying_move_bps"] is not None), default=None
            ),  # type: ignore[type-var]
            "positions": Fraction(len(self.legs)),
            "positions_without_mark": Fraction(sum(leg.mark is None for leg in self.legs)),
            "positions_without_tiers": Fraction(sum(not leg.ladder for leg in self.legs)),
            "balances_not_valued": Fraction(
                sum(p.wallet != 0 and p.counts(p.wallet) is None for p in self.purses.values())
            ),
            "positions_over_leverage": Fraction(
                sum(bool(leg.tier) and leg.leverage is not None and leg.leverage > leg.tier[0][3] for leg in self.legs)
            ),
            "leverage_total": over(gross, equity),
            "leverage_net": over(None if net is None else abs(net), equity),
            "leverage_average": over(weight, gross),
            "leverage_max": most(leg.leverage for leg in self.legs),
            "margin_utilisation": most(used) if held else Fraction(0),
            "maintenance_ratio": most(ratios) if held else Fraction(0),
            "insolvent": (equity is not None and equity < 0)
            or (held and (gone or (equity is not None and equity <= 0))),
        }
