"""Columns that a revaluation writes, of positions, of what backs them and of accounts: formula, unit, when null."""

from schemas.column import Column

NO_MARK = "the market has no mark"
NO_PRICE = NO_MARK + ", or what it settles in no price in dollars"
NO_TIERS = NO_PRICE + ", or no maintenance tiers"
NOT_SETTLED = "an asset without a price in dollars settles a position"
NOT_VALUED_TEXT = NOT_SETTLED + " or lies in a wallet"

POSITION_WRITES = (
    Column("qty_base", "f8", "Position size", "base units", sign="+ long, - short", source="as the record states it"),
    Column("entry_price", "f8", "Average price of entry", "quote per base", low=0.0, source="as the record states it"),
    Column(
        "mark_price",
        "f8",
        "Mark price in force",
        "quote per base",
        null_when=NO_MARK,
        low=0.0,
        source="as the venue states it",
    ),
    Column(
        "notional_usd",
        "f8",
        "N: size at mark, in dollars by the price of what it settles in",
        "USD",
        "q mark d, q: size without its sign, d: dollars that a unit of the settlement asset counts: 1, or of a coin A"
        " the mark of the first of binance-usdm AUSDT, AUSDC, bybit-linear AUSDT, APERP, okx-swap A-USDT-SWAP that has"
        " one",
        null_when=NO_PRICE,
        low=0.0,
        source="the venue's own documentation",
    ),
    Column(
        "unrealised_pnl_usd",
        "f8",
        "Profit since entry",
        "USD",
        "s q (mark - EP) d, s: +1 long, -1 short, EP: entry_price",
        null_when=NO_PRICE,
        sign="+ profit",
        source="the venue's own documentation",
    ),
    Column(
        "initial_margin_usd",
        "f8",
        "IM: notional over leverage; Bybit: of the value at entry (rule of 2024-09), and the fee to close",
        "USD",
        "(V / l + fee q EP (1 - s / l)) o, V: q mark, by Bybit's rule of 2024-09 q EP; fee: risk.taker_fee of Bybit,"
        " else 0; o: dollars that a unit owed counts, ask in pool_equity_usd where a pool of several assets backs it,"
        " else d",
        null_when=NO_PRICE + ", or its leverage is not known",
        low=0.0,
        source="the venue's own documentation",
    ),
    Column(
        "maintenance_margin_usd",
        "f8",
        "MM: maintenance margin by the tier of the notional; Bybit: of the value at entry (rule of 2024-09), and the"
        " fee to close",
        "USD",
        "(V mmr - cum + fee q EP (1 - s / l)) o, mmr and cum by V; V, fee and o as in initial_margin_usd, never below"
        " 0, l not known: 1 / l = 0; OKX: q mark (mmr + risk.taker_fee) o, mmr by the contracts of both"
        " legs",
        null_when=NO_TIERS,
        low=0.0,
        source="the venue's own documentation",
    ),
    Column(
        "liquidation_price",
        "f8",
        "Mark price of its market at which maintenance is no longer covered; other marks, and what coins count, as now",
        "quote per base",
        "P nearest to the mark with E_p(P) = MM(P); of one position (W + cum - s q EP) / (q mmr - s q), W: what else is"
        " in its pool less what else that needs",
        "Binance FAQ b3c689c1; Bybit help centre, Liquidation Price (USDT Contract)",
        null_when="see null_reason",
        low=0.0,
    ),
)
POOL_WRITES = (
    Column(
        "unrealised_pnl_settled",
        "f8",
        "Profit since entry in the asset it settles in",
        "settlement asset",
        "s q (mark - EP)",
        null_when=NO_MARK,
        sign="+ profit",
        source="the venue's own documentation",
    ),
    Column(
        "pool_equity_usd",
        "f8",
        "Wallet and profit of its pool, of an isolated position its margin and profit",
        "USD",
        "E_p = free + sum s q (mark - EP) of cross positions, free: wallet less isolated margins; several assets: sum"
        " min(E bid, E ask), E: each one's, bid: mark less risk.haircuts, ask: mark, or the record's rates,"
        " whichever is lower as bid",
        null_when=NOT_VALUED_TEXT + ", or it is not known what backs it",
        source="the venue's own documentation",
    ),
    Column(
        "pool_maintenance_ratio",
        "f8",
        "Maintenance margin of its pool over the pool's equity; liquidation at 1",
        "1",
        "sum MM / E_p, of a position without tiers IM for MM",
        null_when="the pool's equity is not known or not positive, or none of its positions has tiers",
        low=0.0,
        source="Binance: Margin Ratio",
    ),
    Column(
        "underlying_move_bps",
        "f8",
        "How far all marks of its underlying have to move together until its pool is liquidated, in either direction",
        "bps of mark",
        "1e4 |x - 1|, x nearest to 1 with E_p(x) = MM(x), of a position without tiers IM(x); 1e4 where no move"
        " liquidates it, 0 where every one does",
        sign="positive: not reached; negative: maintenance is not covered now",
        null_when="no mark, no maintenance tiers, or it is not known what backs it",
        tolerance=0.1,
        source="definition of our own",
    ),
    Column(
        "tier_max_leverage",
        "f8",
        "Largest leverage that the tier of its notional allows",
        "1",
        null_when="no maintenance tiers",
        low=0.0,
        source="the venue's own documentation",
    ),
)
ACCOUNT_WRITES = (
    Column(
        "equity_usd",
        "f8",
        "Wallet balances, by marks and after haircuts where they are common collateral, and profit of all positions",
        "USD",
        "sum over assets of E d, E: wallet + sum s q (mark - EP); of common collateral min(E bid, E ask) as in"
        " pool_equity_usd of risk_positions, isolated margin and profit among it",
        null_when="see equity_reason",
        source="definition of our own",
    ),
    Column(
        "gross_usd",
        "f8",
        "Notional of all positions",
        "USD",
        "sum N",
        null_when=NOT_SETTLED,
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "net_usd",
        "f8",
        "Notional of longs less shorts",
        "USD",
        "sum s N",
        sign="+ long",
        null_when=NOT_SETTLED,
        source="definition of our own",
    ),
    Column(
        "initial_margin_usd",
        "f8",
        "Initial margin of all positions",
        "USD",
        "sum IM",
        null_when=NOT_SETTLED + ", or a leverage is not known",
        low=0.0,
        source="the venue's own documentation",
    ),
    Column(
        "maintenance_margin_usd",
        "f8",
        "Maintenance margin of all positions",
        "USD",
        "sum MM",
        null_when=NOT_SETTLED + ", or a position has no tiers",
        low=0.0,
        source="the venue's own documentation",
    ),
    Column(
        "nearest_liquidation_bps",
        "f8",
        "Distance to liquidation of the position that is nearest to it, marks of one underlying moving together",
        "bps of mark",
        "min underlying_move_bps",
        sign="positive: not reached",
        null_when="of no position is it known",
        tolerance=0.1,
        source="definition of our own",
    ),
    Column("positions", "i8", "Open positions", "count", low=0.0),
    Column(
        "positions_without_mark",
        "i8",
        "Positions whose market has no mark yet; they count at their entry price",
        "count",
        low=0.0,
    ),
    Column(
        "positions_without_tiers",
        "i8",
        "Positions whose market has no maintenance tiers; behind others they count at their initial margin",
        "count",
        low=0.0,
    ),
    Column("balances_not_valued", "i8", "Balances, not 0, in assets without a price in dollars", "count", low=0.0),
    Column(
        "positions_over_leverage",
        "i8",
        "Positions with more leverage than the tier of their notional allows",
        "count",
        low=0.0,
    ),
)
