"""The rows of the walk in polars, and as a picture: `python deploy/walk/plot.py book.csv account.csv walk.png`."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl

book_file, account_file, picture = sys.argv[1:]
book = pl.read_csv(book_file, try_parse_dates=True)
account = pl.read_csv(account_file, try_parse_dates=True)
joined = account.sort("as_of").join_asof(book.sort("window_end"), left_on="as_of", right_on="window_end")
print(joined.select("as_of", "mid", "equity_usd", "margin_utilisation").tail(3))

figure, (above, below) = plt.subplots(2, sharex=True, figsize=(9, 6))
above.plot(joined["as_of"], joined["mid"])
above.set_ylabel("mid, USDT")
below.step(joined["as_of"], joined["margin_utilisation"], where="post")
below.axhline(0.8, color="tab:orange", label="warning")
below.axhline(0.5, color="tab:green", label="clear")
below.set_ylabel("margin utilisation")
below.legend()
figure.savefig(picture)
print(f"{picture}: {joined.height} rows of {account_file} beside {book_file}")
