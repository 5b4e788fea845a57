"""A true book: what a venue that is played in tests knows, and what it has known by update id."""

import random
from collections import OrderedDict

from tests.live.dialects import Sides

BIDS, ASKS = tuple(float(p) for p in range(99, 79, -1)), tuple(float(p) for p in range(101, 121))
REMEMBERED = 500


class TrueBook:
    """Twenty prices a side; levels come, change and go."""

    def __init__(self, first_id: int, seed: int) -> None:
        self.id = first_id
        self._chance = random.Random(seed)
        self._held: tuple[dict[float, int], dict[float, int]] = (dict.fromkeys(BIDS, 5), dict.fromkeys(ASKS, 5))
        self.known: OrderedDict[int, tuple[dict[float, int], dict[float, int]]] = OrderedDict()
        """The last books by their update ids."""
        self._remember()

    def step(self, ids: int) -> Sides:
        """The next update, which takes so many ids: what changes."""
        self.id += ids
        changes: Sides = ([], [])
        for held, prices, side in zip(self._held, (BIDS, ASKS), changes, strict=True):
            for price in self._chance.sample(prices, 2):
                size = self._chance.choice((0, 0, 1, 2, 3, 5, 8))
                if size or price not in held or len(held) <= 3:
                    held[price] = size = size or 1
                else:
                    del held[price]
                side.append((price, size))
        self._remember()
        return changes

    def sides(self) -> Sides:
        """All levels, best first."""
        bids, asks = self._held
        return sorted(bids.items(), reverse=True), sorted(asks.items())

    def _remember(self) -> None:
        self.known[self.id] = (dict(self._held[0]), dict(self._held[1]))
        if len(self.known) > REMEMBERED:
            self.known.popitem(last=False)
