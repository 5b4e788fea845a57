"""The markets of several venues on one shard, being fed as the market flow feeds them, and their books that meet."""

import json
import random

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from operators.asset_books import AssetBooks
from tests.laws.test_market import CUT, Run, lines_of


class Together:
    """Venues in step: their markets, and the tables that are made of all of them."""

    def __init__(self, lines, known=None, cut=CUT):
        """`lines`: venue -> its frames."""
        self.runs = {venue: Run(venue, of, (known or {}).get(venue), cut) for venue, of in lines.items()}
        self.cut = cut
        self.assets = AssetBooks(cut.base_ns, cut.keyframe_ns, cut.without)
        self.rows = {}

    def advance(self):
        for run in self.runs.values():
            run.advance()
        for published in self.assets.meet([run.market for run in self.runs.values()]):
            self.rows.setdefault(published.table, []).extend(records(published, BY_NAME[published.table].columns))

    def thaw(self):
        for run in self.runs.values():
            run.thaw()
        again = AssetBooks(self.cut.base_ns, self.cut.keyframe_ns, self.cut.without)
        again.thaw(self.assets.freeze())
        self.assets = again

    def end(self):
        for run in self.runs.values():
            for kind in run.logs:
                run.read(kind, len(run.logs[kind]))
                run.market.mark(kind, ended=True)
        self.advance()
        return self

    def at_random(self, seed, most=40):
        """Batches of any size of any log of any venue, ends announced at any time, freezing now and then."""
        rng, ended = random.Random(seed), set()
        logs = [(venue, kind) for venue, run in self.runs.items() for kind in run.logs]
        while len(ended) < len(logs):
            venue, kind = rng.choice([log for log in logs if log not in ended])
            run = self.runs[venue]
            run.read(kind, rng.choice([1, 3, 10, most]))
            if run.done(kind) and rng.random() < 0.7:
                ended.add((venue, kind))
                run.market.mark(kind, ended=True)
            if rng.random() < 0.7:
                self.advance()
            if rng.random() < 0.1:
                self.thaw()
        return self.end()

    def decoded(self, table):
        return [json.loads(value) for _, value in self.rows.get(table, [])]

    def books(self, window_ms):
        """The rows of features_book of all venues, of one length of window."""
        return [r for run in self.runs.values() for r in run.decoded("features_book") if r["window_ms"] == window_ms]


def lines_of_venues(venues, seed):
    return {venue: lines_of(venue, seed + i) for i, venue in enumerate(venues)}
