ALTER TABLE `features_book`
  COMMENT COLUMN IF EXISTS `bid_depth_5bps_usd` 'bid depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_depth_5bps_usd` 'ask depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `bid_depth_10bps_usd` 'bid depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_depth_10bps_usd` 'ask depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `bid_depth_25bps_usd` 'bid depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_depth_25bps_usd` 'ask depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `bid_depth_50bps_usd` 'bid depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_depth_50bps_usd` 'ask depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `bid_depth_100bps_usd` 'bid depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_depth_100bps_usd` 'ask depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `bid_pressure_usd` 'bid notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= 100 bps; null when: book not live, one-sided, crossed, or known exactly to less than 50 bps of mid; contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `ask_pressure_usd` 'ask notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= 100 bps; null when: book not live, one-sided, crossed, or known exactly to less than 50 bps of mid; contract unknown; not quoted in US dollars; at least: 0',
  ADD COLUMN IF NOT EXISTS `time_weighted_spread_bps` Nullable(Float64) COMMENT 'best ask less best bid relative to mid, each value weighted by how long it was in force in the window; unit: bps; formula: int s dt / int dt; sign: negative: crossed; null when: the book was not live or one-sided during the whole window; at least: -20000; at most: 20000; source: McInish & Wood (1992)' CODEC(Gorilla, ZSTD(1)) AFTER `mlofi_5`,
  ADD CONSTRAINT IF NOT EXISTS `finite_time_weighted_spread_bps` CHECK ifNull(isFinite(`time_weighted_spread_bps`), true);

CREATE OR REPLACE VIEW `features_book_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max(toUnixTimestamp64Milli(`window_start`)) AS newest FROM `features_book` GROUP BY `window_ms`)
) AS _newest
SELECT
  `venue`,
  `symbol`,
  `window_ms`,
  fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `window_start`,
  `last_update_id`,
  `best_bid`,
  `best_bid_qty_base`,
  `best_ask`,
  `best_ask_qty_base`,
  `mid`,
  `spread_bps`,
  `weighted_mid`,
  `crossed`,
  `imbalance_1`,
  `imbalance_5`,
  `imbalance_20`,
  `imbalance_weighted`,
  `depth_reach_bps`,
  `bid_depth_5bps_base`,
  `bid_depth_5bps_usd`,
  `ask_depth_5bps_base`,
  `ask_depth_5bps_usd`,
  `imbalance_5bps`,
  `bid_depth_10bps_base`,
  `bid_depth_10bps_usd`,
  `ask_depth_10bps_base`,
  `ask_depth_10bps_usd`,
  `imbalance_10bps`,
  `bid_depth_25bps_base`,
  `bid_depth_25bps_usd`,
  `ask_depth_25bps_base`,
  `ask_depth_25bps_usd`,
  `imbalance_25bps`,
  `bid_depth_50bps_base`,
  `bid_depth_50bps_usd`,
  `ask_depth_50bps_base`,
  `ask_depth_50bps_usd`,
  `imbalance_50bps`,
  `bid_depth_100bps_base`,
  `bid_depth_100bps_usd`,
  `ask_depth_100bps_base`,
  `ask_depth_100bps_usd`,
  `imbalance_100bps`,
  `bid_depth_levels_5_base`,
  `ask_depth_levels_5_base`,
  `bid_depth_levels_10_base`,
  `ask_depth_levels_10_base`,
  `bid_depth_levels_20_base`,
  `ask_depth_levels_20_base`,
  `bid_slope_base_per_bp`,
  `ask_slope_base_per_bp`,
  `bid_pressure_usd`,
  `ask_pressure_usd`,
  `depth_pressure`,
  `ofi`,
  `ofi_per_depth`,
  `mlofi_2`,
  `mlofi_3`,
  `mlofi_4`,
  `mlofi_5`,
  `time_weighted_spread_bps`,
  `messages`,
  `book_ok`,
  `gap_ms`,
  `stale_ms`,
  `late_rows`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `last_update_id`, `best_bid`, `best_bid_qty_base`, `best_ask`, `best_ask_qty_base`, `mid`, `spread_bps`, `weighted_mid`, `crossed`, `imbalance_1`, `imbalance_5`, `imbalance_20`, `imbalance_weighted`, `depth_reach_bps`, `bid_depth_5bps_base`, `bid_depth_5bps_usd`, `ask_depth_5bps_base`, `ask_depth_5bps_usd`, `imbalance_5bps`, `bid_depth_10bps_base`, `bid_depth_10bps_usd`, `ask_depth_10bps_base`, `ask_depth_10bps_usd`, `imbalance_10bps`, `bid_depth_25bps_base`, `bid_depth_25bps_usd`, `ask_depth_25bps_base`, `ask_depth_25bps_usd`, `imbalance_25bps`, `bid_depth_50bps_base`, `bid_depth_50bps_usd`, `ask_depth_50bps_base`, `ask_depth_50bps_usd`, `imbalance_50bps`, `bid_depth_100bps_base`, `bid_depth_100bps_usd`, `ask_depth_100bps_base`, `ask_depth_100bps_usd`, `imbalance_100bps`, `bid_depth_levels_5_base`, `ask_depth_levels_5_base`, `bid_depth_levels_10_base`, `ask_depth_levels_10_base`, `bid_depth_levels_20_base`, `ask_depth_levels_20_base`, `bid_slope_base_per_bp`, `ask_slope_base_per_bp`, `bid_pressure_usd`, `ask_pressure_usd`, `depth_pressure`, `ofi`, `ofi_per_depth`, `mlofi_2`, `mlofi_3`, `mlofi_4`, `mlofi_5`, `time_weighted_spread_bps`, `messages`, `book_ok`, `gap_ms`, `stale_ms`, `late_rows`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_book` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

ALTER TABLE `features_tape`
  COMMENT COLUMN IF EXISTS `volume_usd` 'traded volume; unit: USD; formula: sum p q; null when: contract unknown; not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `buy_volume_usd` 'volume of aggressive buys; unit: USD; null when: contract unknown; not quoted in US dollars; at least: 0',
  ADD COLUMN IF NOT EXISTS `vpin` Nullable(Float64) COMMENT 'imbalance of aggressive volume over the last 50 buckets of a fiftieth of yesterday\'s volume; unit: 1; formula: mean |Vb - Vs| / V; null when: no day is over yet, or fewer than 50 buckets are full; at least: 0; at most: 1; source: Easley, Lopez de Prado & O\'Hara (2012)' CODEC(Gorilla, ZSTD(1)) AFTER `bipower_variation`,
  ADD CONSTRAINT IF NOT EXISTS `finite_vpin` CHECK ifNull(isFinite(`vpin`), true),
  ADD COLUMN IF NOT EXISTS `kyle_lambda` Nullable(Float64) COMMENT 'how far the mid moves with a unit of signed volume, last 30 minutes; unit: quote/base; formula: Sxy / Sxx; sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in the last 30 minutes, or signed volume that did not vary; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `vpin`,
  ADD CONSTRAINT IF NOT EXISTS `finite_kyle_lambda` CHECK ifNull(isFinite(`kyle_lambda`), true),
  ADD COLUMN IF NOT EXISTS `kyle_lambda_low` Nullable(Float64) COMMENT 'lower end of the 95 % interval of lambda; unit: quote/base; formula: lambda - t sqrt(s^2 / Sxx); sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in the last 30 minutes, or signed volume that did not vary; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `kyle_lambda`,
  ADD CONSTRAINT IF NOT EXISTS `finite_kyle_lambda_low` CHECK ifNull(isFinite(`kyle_lambda_low`), true),
  ADD COLUMN IF NOT EXISTS `kyle_lambda_high` Nullable(Float64) COMMENT 'upper end of the 95 % interval of lambda; unit: quote/base; formula: lambda + t sqrt(s^2 / Sxx); sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in the last 30 minutes, or signed volume that did not vary; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `kyle_lambda_low`,
  ADD CONSTRAINT IF NOT EXISTS `finite_kyle_lambda_high` CHECK ifNull(isFinite(`kyle_lambda_high`), true),
  COMMENT COLUMN IF EXISTS `long_liquidated_usd` 'size of the longs liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `short_liquidated_usd` 'size of the shorts liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `largest_liquidation_usd` 'largest single liquidation; unit: USD; formula: max of notional_usd; null when: no liquidation in the window; a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `open_interest_usd` 'open interest at mark, in USD; unit: USD; null when: the venue has not sent it yet; not quoted in US dollars; at least: 0',
  ADD COLUMN IF NOT EXISTS `repeated_rows` Nullable(Int64) COMMENT 'trades that were delivered again, by a reconnect or a second recorder, and left out; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `late_rows`,
  ADD COLUMN IF NOT EXISTS `feed_switches` Nullable(Int64) COMMENT 'how often the trades went over to the other of the venue\'s feeds, as one was silent; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `repeated_rows`;

CREATE OR REPLACE VIEW `features_tape_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max(toUnixTimestamp64Milli(`window_start`)) AS newest FROM `features_tape` GROUP BY `window_ms`)
) AS _newest
SELECT
  `venue`,
  `symbol`,
  `window_ms`,
  fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `window_start`,
  `open`,
  `high`,
  `low`,
  `close`,
  `vwap`,
  `volume_base`,
  `volume_usd`,
  `buy_volume_base`,
  `buy_volume_usd`,
  `signed_volume`,
  `taker_ratio`,
  `trades`,
  `buys`,
  `cvd`,
  `realised_variance`,
  `bipower_variation`,
  `vpin`,
  `kyle_lambda`,
  `kyle_lambda_low`,
  `kyle_lambda_high`,
  `long_liquidations`,
  `short_liquidations`,
  `long_liquidated_base`,
  `short_liquidated_base`,
  `long_liquidated_usd`,
  `short_liquidated_usd`,
  `largest_liquidation_usd`,
  `throttled`,
  `mark_price`,
  `index_price`,
  `basis_bps`,
  `funding_rate`,
  `next_funding_time`,
  `open_interest_base`,
  `open_interest_usd`,
  `mark_age_ms`,
  `stale_ms`,
  `late_rows`,
  `repeated_rows`,
  `feed_switches`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `open`, `high`, `low`, `close`, `vwap`, `volume_base`, `volume_usd`, `buy_volume_base`, `buy_volume_usd`, `signed_volume`, `taker_ratio`, `trades`, `buys`, `cvd`, `realised_variance`, `bipower_variation`, `vpin`, `kyle_lambda`, `kyle_lambda_low`, `kyle_lambda_high`, `long_liquidations`, `short_liquidations`, `long_liquidated_base`, `short_liquidated_base`, `long_liquidated_usd`, `short_liquidated_usd`, `largest_liquidation_usd`, `throttled`, `mark_price`, `index_price`, `basis_bps`, `funding_rate`, `next_funding_time`, `open_interest_base`, `open_interest_usd`, `mark_age_ms`, `stale_ms`, `late_rows`, `repeated_rows`, `feed_switches`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_tape` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `features_costs` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `effective_spread_bps` Nullable(Float64) COMMENT 'what aggressors paid, against the mid before the trade, both ways; unit: bps; formula: 2 D (p - m) / m; sign: dearer than mid: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_1s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 1 s later; unit: bps; formula: 2 D (p - m\') / m; sign: kept: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_1s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 1 s, twice; unit: bps; formula: 2 D (m\' - m) / m; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_5s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 5 s later; unit: bps; formula: 2 D (p - m\') / m; sign: kept: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_5s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 5 s, twice; unit: bps; formula: 2 D (m\' - m) / m; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_60s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 60 s later; unit: bps; formula: 2 D (p - m\') / m; sign: kept: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_60s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 60 s, twice; unit: bps; formula: 2 D (m\' - m) / m; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `measured_volume_base` Float64 COMMENT 'volume of the trades that count; unit: base; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `measured_trades` Int64 COMMENT 'number of the trades that count; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`effective_spread_bps`), true) AND ifNull(isFinite(`realised_spread_1s_bps`), true) AND ifNull(isFinite(`price_impact_1s_bps`), true) AND ifNull(isFinite(`realised_spread_5s_bps`), true) AND ifNull(isFinite(`price_impact_5s_bps`), true) AND ifNull(isFinite(`realised_spread_60s_bps`), true) AND ifNull(isFinite(`price_impact_60s_bps`), true) AND isFinite(`measured_volume_base`)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic features.costs';

CREATE VIEW IF NOT EXISTS `features_costs_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max(toUnixTimestamp64Milli(`window_start`)) AS newest FROM `features_costs` GROUP BY `window_ms`)
) AS _newest
SELECT
  `venue`,
  `symbol`,
  `window_ms`,
  fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `window_start`,
  `effective_spread_bps`,
  `realised_spread_1s_bps`,
  `price_impact_1s_bps`,
  `realised_spread_5s_bps`,
  `price_impact_5s_bps`,
  `realised_spread_60s_bps`,
  `price_impact_60s_bps`,
  `measured_volume_base`,
  `measured_trades`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `effective_spread_bps`, `realised_spread_1s_bps`, `price_impact_1s_bps`, `realised_spread_5s_bps`, `price_impact_5s_bps`, `realised_spread_60s_bps`, `price_impact_60s_bps`, `measured_volume_base`, `measured_trades`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_costs` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `walls` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the pane after which it was seen; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `side` LowCardinality(String) COMMENT 'bid or ask' CODEC(ZSTD(3)),
  `what` LowCardinality(String) COMMENT 'appeared, grew, consumed or pulled' CODEC(ZSTD(3)),
  `price` Float64 COMMENT 'price of the level; unit: quote; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `qty_base` Nullable(Float64) COMMENT 'size that stands there now; unit: base; null when: contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `notional_usd` Nullable(Float64) COMMENT 'size that stands there now; unit: USD; null when: contract unknown; not quoted in US dollars; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `modified_z` Nullable(Float64) COMMENT 'how far its notional stands out of the best 50 levels of its side; unit: 1; formula: 0.6745 (n - med) / MAD; null when: it is not larger than the others any more; at least: 0; source: Iglewicz & Hoaglin (1993)' CODEC(Gorilla, ZSTD(1)),
  `age_ms` Float64 COMMENT 'since it was first seen as large; unit: ms; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `distance_bps` Float64 COMMENT 'distance from mid; unit: bps; formula: 1e4 |p - M| / M; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `nth` Int64 COMMENT 'which of the instrument\'s of that millisecond; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK isFinite(`price`) AND ifNull(isFinite(`qty_base`), true) AND ifNull(isFinite(`notional_usd`), true) AND ifNull(isFinite(`modified_z`), true) AND isFinite(`age_ms`) AND isFinite(`distance_bps`)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic walls';

ALTER TABLE `liquidations`
  COMMENT COLUMN IF EXISTS `notional_usd` 'size liquidated; unit: USD; formula: qty_base * price; null when: contract unknown; linear: message without a price; not quoted in US dollars; at least: 0';

CREATE TABLE IF NOT EXISTS `consolidated_bbo` (
  `asset` LowCardinality(String) COMMENT 'the base asset' CODEC(ZSTD(3)),
  `quote` LowCardinality(String) COMMENT 'the currency of all its prices: books in another one are another row, USDT is not USD' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the pane at which it holds; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `best_bid` Nullable(Float64) COMMENT 'highest bid price over the books that count; unit: quote; null when: no book that counts has one; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_bid_qty_base` Nullable(Float64) COMMENT 'size there, of the book that holds it; unit: base; null when: no book that counts has one, or contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_bid_venue` LowCardinality(String) COMMENT 'venue of the book that holds it; empty: none' CODEC(ZSTD(3)),
  `best_bid_symbol` LowCardinality(String) COMMENT 'the venue\'s name of that book\'s instrument; empty: none' CODEC(ZSTD(3)),
  `best_ask` Nullable(Float64) COMMENT 'lowest ask price over the books that count; unit: quote; null when: no book that counts has one; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_ask_qty_base` Nullable(Float64) COMMENT 'size there, of the book that holds it; unit: base; null when: no book that counts has one, or contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_ask_venue` LowCardinality(String) COMMENT 'venue of the book that holds it; empty: none' CODEC(ZSTD(3)),
  `best_ask_symbol` LowCardinality(String) COMMENT 'the venue\'s name of that book\'s instrument; empty: none' CODEC(ZSTD(3)),
  `mid` Nullable(Float64) COMMENT 'midpoint of both; unit: quote; formula: (Pb + Pa) / 2; null when: no best bid or no best ask; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `spread_bps` Nullable(Float64) COMMENT 'best ask less best bid, relative to their midpoint, also across venues; unit: bps; formula: 1e4 (Pa - Pb) / M; sign: negative: one venue\'s bid is above another\'s ask; null when: no best bid or no best ask; at least: -20000; at most: 20000' CODEC(Gorilla, ZSTD(1)),
  `crossed` Bool COMMENT 'one venue\'s bid is above another\'s ask; formula: Pb > Pa' CODEC(ZSTD(1)),
  `books` Int64 COMMENT 'books that count; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `books_out` Int64 COMMENT 'books left out: not trusted, crossed in themselves, or stale; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age of the last message of the older of the two books that hold the best prices; unit: ms; null when: no book that counts has one; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`best_bid`), true) AND ifNull(isFinite(`best_bid_qty_base`), true) AND ifNull(isFinite(`best_ask`), true) AND ifNull(isFinite(`best_ask_qty_base`), true) AND ifNull(isFinite(`mid`), true) AND ifNull(isFinite(`spread_bps`), true) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`asset`, `quote`, `event_time`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic consolidated.bbo';

ALTER TABLE `quality`
  COMMENT COLUMN IF EXISTS `depth_dropped` 'depth messages rightly ignored: stale, repeated, or of another view of the book; at least: 0';

ALTER TABLE `forecasts_liquidation`
  COMMENT COLUMN IF EXISTS `p_burst_low` 'Lower end of its interval, by the same calibrator; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1',
  COMMENT COLUMN IF EXISTS `p_burst_high` 'Upper end of its interval, by the same calibrator; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1',
  COMMENT COLUMN IF EXISTS `confidence` 'How far the probability is to be trusted; not the probability itself; unit: 1; formula: (1 - (p_burst_high - p_burst_low)) Q D; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1';

ALTER TABLE `risk_accounts`
  COMMENT COLUMN IF EXISTS `equity_usd` 'Wallet balances, by marks and after haircuts where they are common collateral, and profit of all positions; unit: USD; formula: sum wallet + sum s q (mark - EP); null when: see equity_reason',
  COMMENT COLUMN IF EXISTS `gross_usd` 'Notional of all positions; unit: USD; formula: sum N; null when: an asset without a price in dollars settles a position or lies in a wallet; at least: 0',
  COMMENT COLUMN IF EXISTS `net_usd` 'Notional of longs less shorts; unit: USD; formula: sum s N; sign: + long; null when: an asset without a price in dollars settles a position or lies in a wallet',
  COMMENT COLUMN IF EXISTS `initial_margin_usd` 'Initial margin of all positions; unit: USD; formula: sum IM; null when: an asset without a price in dollars settles a position or lies in a wallet, or a leverage is not known; at least: 0',
  COMMENT COLUMN IF EXISTS `maintenance_margin_usd` 'Maintenance margin of all positions; unit: USD; formula: sum MM; null when: an asset without a price in dollars settles a position or lies in a wallet, or a position has no tiers; at least: 0',
  COMMENT COLUMN IF EXISTS `nearest_liquidation_bps` 'Distance to liquidation of the position that is nearest to it, marks of one underlying moving together; unit: bps of mark; formula: min underlying_move_bps; sign: positive: not reached; null when: no position has one',
  COMMENT COLUMN IF EXISTS `positions_without_mark` 'Positions whose market has no mark yet; they count at their entry price; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `positions_without_tiers` 'Positions whose market has no maintenance tiers; behind others they count at their initial margin; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `balances_not_valued` 'Balances in assets without a price in dollars; unit: count; at least: 0',
  ADD COLUMN IF NOT EXISTS `positions_over_leverage` Nullable(Int64) COMMENT 'Positions with more leverage than the tier of their notional allows; unit: count; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `balances_not_valued`,
  COMMENT COLUMN IF EXISTS `leverage_total` 'Notional of all positions over equity; unit: 1; formula: sum N / E; null when: equity is not known or not positive; at least: 0',
  COMMENT COLUMN IF EXISTS `leverage_net` 'Net notional over equity; unit: 1; formula: |sum s N| / E; null when: equity is not known or not positive; at least: 0',
  COMMENT COLUMN IF EXISTS `leverage_average` 'Leverage of the positions, weighted by notional; unit: 1; formula: sum N l / sum N; null when: no positions, or a leverage or price is not known; at least: 0',
  COMMENT COLUMN IF EXISTS `margin_utilisation` 'Initial margin over equity in the cross pool where it is largest; without one, of the account; unit: 1; formula: max sum IM / E_p; null when: a pool\'s equity is not known or not positive in all pools with positions; at least: 0',
  COMMENT COLUMN IF EXISTS `maintenance_ratio` 'Maintenance margin over equity in the pool where it is largest; liquidation at 1; unit: 1; formula: max sum MM / E_p; null when: a pool\'s equity is not known or not positive in all pools with positions, or no tiers; at least: 0',
  COMMENT COLUMN IF EXISTS `insolvent` 'Whether equity of the account, or of a cross pool with positions, is zero or less; not of an empty account',
  COMMENT COLUMN IF EXISTS `var_99_1h` 'Loss over one hour that is exceeded in 1 % of hours: the tail of past hours at the volatility of now; unit: share of equity; formula: -quantile_.01(r_t / s_t) s_T, type 7; sign: + loss; null when: see tail_reason; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `es_99_1h` 'Mean loss over one hour in the worst 1 % of hours, at the volatility of now; unit: share of equity; formula: -mean(z | z <= quantile_.01(z)) s_T, z = r_t / s_t; sign: + loss; null when: see tail_reason; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `var_ewma_99_1h` 'Value at risk over one hour with EWMA volatility; unit: share of equity; formula: -z_.01 s, decay .97 an hour; sign: + loss; null when: see tail_reason; at least: 0; source: RiskMetrics (1996)',
  COMMENT COLUMN IF EXISTS `tail_returns` 'Past hours, none overlapping, that the tail numbers rest on; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `risk_level` 'unknown, low, elevated, high or critical, by maintenance ratio and nearest liquidation; below high unknown while a pool or a mark is not known or stale',
  ADD COLUMN IF NOT EXISTS `open` Nullable(Bool) COMMENT 'false in the last row of an account that was removed' CODEC(ZSTD(1)) AFTER `closed_by`,
  ADD COLUMN IF NOT EXISTS `record_age_ms` Nullable(Float64) COMMENT 'age of the account\'s record in force; unit: ms' CODEC(Gorilla, ZSTD(1)) AFTER `open`,
  ADD CONSTRAINT IF NOT EXISTS `finite_record_age_ms` CHECK ifNull(isFinite(`record_age_ms`), true),
  ADD COLUMN IF NOT EXISTS `record_ok` Nullable(Bool) COMMENT 'all of the record could be used' CODEC(ZSTD(1)) AFTER `record_age_ms`,
  ADD COLUMN IF NOT EXISTS `parts_left_out` Nullable(Int64) COMMENT 'balances, positions and fields of the record that could not be used; unit: count; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `record_ok`,
  ADD COLUMN IF NOT EXISTS `remarks` Nullable(String) COMMENT 'what of the record could not be used, and why; empty when all was; unit: text' CODEC(ZSTD(3)) AFTER `parts_left_out`,
  ADD COLUMN IF NOT EXISTS `equity_reason` Nullable(String) COMMENT 'why equity is null; empty when it is not; unit: text' CODEC(ZSTD(3)) AFTER `remarks`;

ALTER TABLE `risk_positions`
  COMMENT COLUMN IF EXISTS `leverage` 'leverage of the position; 0: the record does not say; unit: 1; at least: 0',
  COMMENT COLUMN IF EXISTS `isolated_margin_usd` 'margin put aside for it; unit: USD; null when: cross, or not known; at least: 0',
  COMMENT COLUMN IF EXISTS `notional_usd` 'Size at mark; unit: USD; formula: q mark; null when: the market has no mark, or what it settles in no price in dollars; at least: 0',
  COMMENT COLUMN IF EXISTS `unrealised_pnl_usd` 'Profit since entry; unit: USD; formula: s q (mark - EP); sign: + profit; null when: the market has no mark, or what it settles in no price in dollars',
  COMMENT COLUMN IF EXISTS `initial_margin_usd` 'Notional over leverage; Bybit: of the value at entry (rule of 2024-09), and the fee to close; unit: USD; formula: N / l + fee q EP (1 - s / l); null when: the market has no mark, or what it settles in no price in dollars, or its leverage is not known; at least: 0',
  COMMENT COLUMN IF EXISTS `maintenance_margin_usd` 'Maintenance margin by the tier of the notional; Bybit: of the value at entry (rule of 2024-09), and the fee; unit: USD; formula: N mmr - cum + fee q EP (1 - s / l); null when: the market has no mark, or what it settles in no price in dollars, or no maintenance tiers; at least: 0',
  COMMENT COLUMN IF EXISTS `liquidation_price` 'Mark price of its market at which maintenance is no longer covered, other marks as they are; unit: quote per base; formula: (W + cum - s q EP) / (q mmr - s q); null when: see null_reason; at least: 0; source: Binance FAQ b3c689c1; Bybit help centre, Liquidation Price (USDT Contract)',
  ADD COLUMN IF NOT EXISTS `position_side` LowCardinality(String) COMMENT 'both (one-way), long or short (hedge mode: a leg of its market)' CODEC(ZSTD(3)) AFTER `closed_by`,
  ADD COLUMN IF NOT EXISTS `settlement_asset` LowCardinality(Nullable(String)) COMMENT 'the asset in which it settles; empty where it is not known' CODEC(ZSTD(3)) AFTER `position_side`,
  ADD COLUMN IF NOT EXISTS `pool` LowCardinality(Nullable(String)) COMMENT 'what backs it: venue/margin mode/margin asset; of an isolated position its symbol' CODEC(ZSTD(3)) AFTER `settlement_asset`,
  ADD COLUMN IF NOT EXISTS `unrealised_pnl_settled` Nullable(Float64) COMMENT 'Profit since entry in the asset it settles in; unit: settlement asset; formula: s q (mark - EP); sign: + profit; null when: the market has no mark' CODEC(Gorilla, ZSTD(1)) AFTER `pool`,
  ADD CONSTRAINT IF NOT EXISTS `finite_unrealised_pnl_settled` CHECK ifNull(isFinite(`unrealised_pnl_settled`), true),
  ADD COLUMN IF NOT EXISTS `pool_equity_usd` Nullable(Float64) COMMENT 'Wallet and profit of its pool, of an isolated position its margin and profit; unit: USD; formula: W + sum s q (mark - EP); null when: an asset without a price in dollars settles a position or lies in a wallet, or it is not known what backs it' CODEC(Gorilla, ZSTD(1)) AFTER `unrealised_pnl_settled`,
  ADD CONSTRAINT IF NOT EXISTS `finite_pool_equity_usd` CHECK ifNull(isFinite(`pool_equity_usd`), true),
  ADD COLUMN IF NOT EXISTS `pool_maintenance_ratio` Nullable(Float64) COMMENT 'Maintenance margin of its pool over the pool\'s equity; liquidation at 1; unit: 1; formula: sum MM / E_p; null when: the pool\'s equity is not known or not positive, or no tiers; at least: 0' CODEC(Gorilla, ZSTD(1)) AFTER `pool_equity_usd`,
  ADD CONSTRAINT IF NOT EXISTS `finite_pool_maintenance_ratio` CHECK ifNull(isFinite(`pool_maintenance_ratio`), true),
  ADD COLUMN IF NOT EXISTS `underlying_move_bps` Nullable(Float64) COMMENT 'How far all marks of its underlying have to move together until its pool is liquidated, in either direction; unit: bps of mark; formula: 1e4 |x - 1|, x nearest to 1 with E_p(x) = MM(x); sign: positive: not reached; null when: no such move liquidates it, or see null_reason' CODEC(Gorilla, ZSTD(1)) AFTER `pool_maintenance_ratio`,
  ADD CONSTRAINT IF NOT EXISTS `finite_underlying_move_bps` CHECK ifNull(isFinite(`underlying_move_bps`), true),
  ADD COLUMN IF NOT EXISTS `tier_max_leverage` Nullable(Float64) COMMENT 'Largest leverage that the tier of its notional allows; unit: 1; null when: no maintenance tiers; at least: 0' CODEC(Gorilla, ZSTD(1)) AFTER `underlying_move_bps`,
  ADD CONSTRAINT IF NOT EXISTS `finite_tier_max_leverage` CHECK ifNull(isFinite(`tier_max_leverage`), true),
  ADD COLUMN IF NOT EXISTS `remark` Nullable(String) COMMENT 'what is odd about it; empty when nothing is; unit: text' CODEC(ZSTD(3)) AFTER `tier_max_leverage`,
  MODIFY ORDER BY (`account`, `venue`, `symbol`, `as_of`, `position_side`);

ALTER TABLE `alerts`
  COMMENT COLUMN IF EXISTS `subject` 'What it is about: account, or venue/symbol; `*` and a shard: a summary of a storm',
  COMMENT COLUMN IF EXISTS `kind` 'raise, higher (a graver severity), lower or clear',
  ADD COLUMN IF NOT EXISTS `reason` LowCardinality(Nullable(String)) COMMENT 'Why it was cleared: the value, or what else; empty when it was not' CODEC(ZSTD(3)) AFTER `value`,
  COMMENT COLUMN IF EXISTS `revision` 'grows from record to record of an alert: event time, ms, times 4, plus the kind, or one more than before; unit: count; at least: 0';
