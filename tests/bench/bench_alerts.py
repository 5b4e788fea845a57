"""Rules by how many rows hold for one time: rows of accounts a second of processor time, with the rules of the package.

One account a second is a quiet market after an outage, a thousand a full second. `python -m tests.bench.bench_alerts`
"""

import json
import random
from pathlib import Path
from time import process_time

from flows.tables import ALERTED, BY_NAME
from operators.alerts.rules import load
from operators.alerts.watch import Watch
from schemas.frames import Frames, frames
from schemas.table import Table

RULES = Path(__file__).parents[2] / "deploy" / "settings" / "alerts.toml"
BEGIN_S, ROWS, BATCH, REPEATS = 1_700_000_000, 20_000, 5_000, 3
PLAIN = {"str": "", "f8": 0.3, "i8": 1, "bool": True, "time": 1_000 * BEGIN_S}


def log(table: Table, together: int) -> list[Frames]:
    """Rows of which so many hold for one second; one account in fifty uses more of its margin than is warned of."""
    chance, out = random.Random(1), []
    for n in range(ROWS):
        row = {c.name: PLAIN[c.dtype] for c in table.columns} | {"account": f"a{n % 1_000}"}
        row |= {table.time: 1_000 * (BEGIN_S + n // together), "margin_utilisation": 0.3}
        if chance.random() < 0.02:
            row["margin_utilisation"] = 0.9
        out.append(json.dumps(row).encode())
    parts = (out[i : i + BATCH] for i in range(0, ROWS, BATCH))
    return [frames(table.topic, 0, part, [(BEGIN_S + ROWS) * 10**9] * len(part)) for part in parts]


def main() -> None:
    """Print the figures; times are the best of a few runs, the first of which compiles."""
    table = BY_NAME["risk_accounts"]
    rules = tuple(rule for rule in load(RULES.read_text(), ALERTED) if rule.table == table.name)
    for together in (1, 10, 1_000):
        parts, took_s, told = log(table, together), [], 0
        for _ in range(REPEATS):
            watch = Watch(table, rules, 1_000)
            begun = process_time()
            found = [watch.read(part) for part in parts]
            took_s.append(process_time() - begun)
            told = sum(len(published.base) for published, _ in found)
            assert not any(rejects for _, rejects in found)
        print(f"{together:5d} rows a second: {ROWS / min(took_s):8,.0f} rows/s, {told} alerts, {len(rules)} rules")


if __name__ == "__main__":
    main()
