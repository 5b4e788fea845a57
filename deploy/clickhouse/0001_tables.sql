CREATE TABLE IF NOT EXISTS `features_book` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `last_update_id` Int64 COMMENT 'the venue\'s id of the last message applied' CODEC(Delta, ZSTD(1)),
  `best_bid` Nullable(Float64) COMMENT 'highest bid price; unit: quote; null when: book not live, or no bid; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_bid_qty_base` Nullable(Float64) COMMENT 'size at the best bid; unit: base; null when: book not live, or no bid, or contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_ask` Nullable(Float64) COMMENT 'lowest ask price; unit: quote; null when: book not live, or no ask; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `best_ask_qty_base` Nullable(Float64) COMMENT 'size at the best ask; unit: base; null when: book not live, or no ask, or contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `mid` Nullable(Float64) COMMENT 'midpoint of best bid and best ask; unit: quote; formula: (Pb + Pa) / 2; null when: best bid or best ask is null; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `spread_bps` Nullable(Float64) COMMENT 'best ask less best bid, relative to mid; unit: bps; formula: 1e4 (Pa - Pb) / M; sign: negative: crossed; null when: best bid or best ask is null; at least: -20000; at most: 20000' CODEC(Gorilla, ZSTD(1)),
  `weighted_mid` Nullable(Float64) COMMENT 'mid leaning to the side with less size, where the price is likelier to go; unit: quote; formula: (Pb Qa + Pa Qb) / (Qa + Qb); null when: best bid or best ask is null; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `crossed` Bool COMMENT 'best bid at or above best ask: locked or crossed; formula: Pb >= Pa' CODEC(ZSTD(1)),
  `imbalance_1` Nullable(Float64) COMMENT 'imbalance of the best 1 levels; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed; at least: -1; at most: 1; source: Gould & Bonart (2016)' CODEC(Gorilla, ZSTD(1)),
  `imbalance_5` Nullable(Float64) COMMENT 'imbalance of the best 5 levels; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed; fewer than 5 exact levels on a side and reach below 100 bps; at least: -1; at most: 1; source: Gould & Bonart (2016)' CODEC(Gorilla, ZSTD(1)),
  `imbalance_20` Nullable(Float64) COMMENT 'imbalance of the best 20 levels; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed; fewer than 20 exact levels on a side and reach below 100 bps; at least: -1; at most: 1; source: Gould & Bonart (2016)' CODEC(Gorilla, ZSTD(1)),
  `imbalance_weighted` Nullable(Float64) COMMENT 'imbalance of the best 20 levels, nearer levels weighing more; unit: 1; formula: level l weighted by exp(-l / 2); sign: bids heavier: positive; null when: book not live, one-sided or crossed; fewer than 20 exact levels on a side and reach below 100 bps; at least: -1; at most: 1; source: Gould & Bonart (2016)' CODEC(Gorilla, ZSTD(1)),
  `depth_reach_bps` Nullable(Float64) COMMENT 'how far from mid both sides of the book are known exactly; unit: bps; formula: min over sides of 1e4 |reach - M| / M; null when: book not live, one-sided or crossed; at least: 0; at most: 10000' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_5bps_base` Nullable(Float64) COMMENT 'bid depth within 5 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_5bps_usd` Nullable(Float64) COMMENT 'bid depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_5bps_base` Nullable(Float64) COMMENT 'ask depth within 5 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_5bps_usd` Nullable(Float64) COMMENT 'ask depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `imbalance_5bps` Nullable(Float64) COMMENT 'imbalance of the depth within 5 bps of mid, in base units; unit: 1; formula: (D_bid(5) - D_ask(5)) / (D_bid(5) + D_ask(5)); sign: bids heavier: positive; null when: book not live, one-sided or crossed; 5 bps beyond the exact reach; nothing in the band; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_10bps_base` Nullable(Float64) COMMENT 'bid depth within 10 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_10bps_usd` Nullable(Float64) COMMENT 'bid depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_10bps_base` Nullable(Float64) COMMENT 'ask depth within 10 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_10bps_usd` Nullable(Float64) COMMENT 'ask depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `imbalance_10bps` Nullable(Float64) COMMENT 'imbalance of the depth within 10 bps of mid, in base units; unit: 1; formula: (D_bid(10) - D_ask(10)) / (D_bid(10) + D_ask(10)); sign: bids heavier: positive; null when: book not live, one-sided or crossed; 10 bps beyond the exact reach; nothing in the band; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_25bps_base` Nullable(Float64) COMMENT 'bid depth within 25 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_25bps_usd` Nullable(Float64) COMMENT 'bid depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_25bps_base` Nullable(Float64) COMMENT 'ask depth within 25 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_25bps_usd` Nullable(Float64) COMMENT 'ask depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `imbalance_25bps` Nullable(Float64) COMMENT 'imbalance of the depth within 25 bps of mid, in base units; unit: 1; formula: (D_bid(25) - D_ask(25)) / (D_bid(25) + D_ask(25)); sign: bids heavier: positive; null when: book not live, one-sided or crossed; 25 bps beyond the exact reach; nothing in the band; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_50bps_base` Nullable(Float64) COMMENT 'bid depth within 50 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_50bps_usd` Nullable(Float64) COMMENT 'bid depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_50bps_base` Nullable(Float64) COMMENT 'ask depth within 50 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_50bps_usd` Nullable(Float64) COMMENT 'ask depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `imbalance_50bps` Nullable(Float64) COMMENT 'imbalance of the depth within 50 bps of mid, in base units; unit: 1; formula: (D_bid(50) - D_ask(50)) / (D_bid(50) + D_ask(50)); sign: bids heavier: positive; null when: book not live, one-sided or crossed; 50 bps beyond the exact reach; nothing in the band; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_100bps_base` Nullable(Float64) COMMENT 'bid depth within 100 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_100bps_usd` Nullable(Float64) COMMENT 'bid depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_100bps_base` Nullable(Float64) COMMENT 'ask depth within 100 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_100bps_usd` Nullable(Float64) COMMENT 'ask depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `imbalance_100bps` Nullable(Float64) COMMENT 'imbalance of the depth within 100 bps of mid, in base units; unit: 1; formula: (D_bid(100) - D_ask(100)) / (D_bid(100) + D_ask(100)); sign: bids heavier: positive; null when: book not live, one-sided or crossed; 100 bps beyond the exact reach; nothing in the band; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_levels_5_base` Nullable(Float64) COMMENT 'bid depth of the best 5 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 5 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_levels_5_base` Nullable(Float64) COMMENT 'ask depth of the best 5 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 5 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_levels_10_base` Nullable(Float64) COMMENT 'bid depth of the best 10 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 10 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_levels_10_base` Nullable(Float64) COMMENT 'ask depth of the best 10 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 10 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_levels_20_base` Nullable(Float64) COMMENT 'bid depth of the best 20 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 20 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_levels_20_base` Nullable(Float64) COMMENT 'ask depth of the best 20 levels; unit: base; null when: book not live, one-sided or crossed; fewer than 20 exact levels and reach below 100 bps; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_slope_base_per_bp` Nullable(Float64) COMMENT 'bid depth gained per bp of distance from mid, best 20 levels; unit: base/bp; formula: sum x_i C_i / sum x_i^2; null when: book not live, one-sided or crossed; fewer than 20 exact levels and reach below 100 bps; all levels at the mid; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_slope_base_per_bp` Nullable(Float64) COMMENT 'ask depth gained per bp of distance from mid, best 20 levels; unit: base/bp; formula: sum x_i C_i / sum x_i^2; null when: book not live, one-sided or crossed; fewer than 20 exact levels and reach below 100 bps; all levels at the mid; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `bid_pressure_usd` Nullable(Float64) COMMENT 'bid notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= 100 bps; null when: book not live, one-sided, crossed, or known exactly to less than 50 bps of mid; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `ask_pressure_usd` Nullable(Float64) COMMENT 'ask notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= 100 bps; null when: book not live, one-sided, crossed, or known exactly to less than 50 bps of mid; contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `depth_pressure` Nullable(Float64) COMMENT 'which side leans harder on the mid; unit: 1; formula: (W_bid - W_ask) / (W_bid + W_ask); sign: bids heavier: positive; null when: book not live, one-sided, crossed, or known exactly to less than 50 bps of mid; at least: -1; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `ofi` Nullable(Float64) COMMENT 'order-flow imbalance at the touch; unit: base; formula: sum e_n; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level, or contract unknown; inverse: mid null; source: Cont, Kukanov & Stoikov (2014)' CODEC(Gorilla, ZSTD(1)),
  `ofi_per_depth` Nullable(Float64) COMMENT 'order-flow imbalance at the touch in units of the mean queue of the best five levels; unit: 1; formula: sum e_n / Q; sign: net buying: positive; null when: no known flow in the window; source: Cont, Cucuringu & Zhang (2023)' CODEC(Gorilla, ZSTD(1)),
  `mlofi_2` Nullable(Float64) COMMENT 'order-flow imbalance at level 2; unit: base; formula: sum e_n of the level 2 queues; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)' CODEC(Gorilla, ZSTD(1)),
  `mlofi_3` Nullable(Float64) COMMENT 'order-flow imbalance at level 3; unit: base; formula: sum e_n of the level 3 queues; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)' CODEC(Gorilla, ZSTD(1)),
  `mlofi_4` Nullable(Float64) COMMENT 'order-flow imbalance at level 4; unit: base; formula: sum e_n of the level 4 queues; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)' CODEC(Gorilla, ZSTD(1)),
  `mlofi_5` Nullable(Float64) COMMENT 'order-flow imbalance at level 5; unit: base; formula: sum e_n of the level 5 queues; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)' CODEC(Gorilla, ZSTD(1)),
  `messages` Int64 COMMENT 'depth messages of the window; at least: 0' CODEC(Delta, ZSTD(1)),
  `book_ok` Bool COMMENT 'the book was trusted for the whole window, up to its end' CODEC(ZSTD(1)),
  `gap_ms` Float64 COMMENT 'event time that passed, up to the messages of this window, while the book was not trusted; unit: ms; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; null when: there was no message with an event time yet' CODEC(Gorilla, ZSTD(1)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`best_bid`), true) AND ifNull(isFinite(`best_bid_qty_base`), true) AND ifNull(isFinite(`best_ask`), true) AND ifNull(isFinite(`best_ask_qty_base`), true) AND ifNull(isFinite(`mid`), true) AND ifNull(isFinite(`spread_bps`), true) AND ifNull(isFinite(`weighted_mid`), true) AND ifNull(isFinite(`imbalance_1`), true) AND ifNull(isFinite(`imbalance_5`), true) AND ifNull(isFinite(`imbalance_20`), true) AND ifNull(isFinite(`imbalance_weighted`), true) AND ifNull(isFinite(`depth_reach_bps`), true) AND ifNull(isFinite(`bid_depth_5bps_base`), true) AND ifNull(isFinite(`bid_depth_5bps_usd`), true) AND ifNull(isFinite(`ask_depth_5bps_base`), true) AND ifNull(isFinite(`ask_depth_5bps_usd`), true) AND ifNull(isFinite(`imbalance_5bps`), true) AND ifNull(isFinite(`bid_depth_10bps_base`), true) AND ifNull(isFinite(`bid_depth_10bps_usd`), true) AND ifNull(isFinite(`ask_depth_10bps_base`), true) AND ifNull(isFinite(`ask_depth_10bps_usd`), true) AND ifNull(isFinite(`imbalance_10bps`), true) AND ifNull(isFinite(`bid_depth_25bps_base`), true) AND ifNull(isFinite(`bid_depth_25bps_usd`), true) AND ifNull(isFinite(`ask_depth_25bps_base`), true) AND ifNull(isFinite(`ask_depth_25bps_usd`), true) AND ifNull(isFinite(`imbalance_25bps`), true) AND ifNull(isFinite(`bid_depth_50bps_base`), true) AND ifNull(isFinite(`bid_depth_50bps_usd`), true) AND ifNull(isFinite(`ask_depth_50bps_base`), true) AND ifNull(isFinite(`ask_depth_50bps_usd`), true) AND ifNull(isFinite(`imbalance_50bps`), true) AND ifNull(isFinite(`bid_depth_100bps_base`), true) AND ifNull(isFinite(`bid_depth_100bps_usd`), true) AND ifNull(isFinite(`ask_depth_100bps_base`), true) AND ifNull(isFinite(`ask_depth_100bps_usd`), true) AND ifNull(isFinite(`imbalance_100bps`), true) AND ifNull(isFinite(`bid_depth_levels_5_base`), true) AND ifNull(isFinite(`ask_depth_levels_5_base`), true) AND ifNull(isFinite(`bid_depth_levels_10_base`), true) AND ifNull(isFinite(`ask_depth_levels_10_base`), true) AND ifNull(isFinite(`bid_depth_levels_20_base`), true) AND ifNull(isFinite(`ask_depth_levels_20_base`), true) AND ifNull(isFinite(`bid_slope_base_per_bp`), true) AND ifNull(isFinite(`ask_slope_base_per_bp`), true) AND ifNull(isFinite(`bid_pressure_usd`), true) AND ifNull(isFinite(`ask_pressure_usd`), true) AND ifNull(isFinite(`depth_pressure`), true) AND ifNull(isFinite(`ofi`), true) AND ifNull(isFinite(`ofi_per_depth`), true) AND ifNull(isFinite(`mlofi_2`), true) AND ifNull(isFinite(`mlofi_3`), true) AND ifNull(isFinite(`mlofi_4`), true) AND ifNull(isFinite(`mlofi_5`), true) AND isFinite(`gap_ms`) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic features.book';

CREATE VIEW IF NOT EXISTS `features_book_dense` AS
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
  `messages`,
  `book_ok`,
  `gap_ms`,
  `stale_ms`,
  `late_rows`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `last_update_id`, `best_bid`, `best_bid_qty_base`, `best_ask`, `best_ask_qty_base`, `mid`, `spread_bps`, `weighted_mid`, `crossed`, `imbalance_1`, `imbalance_5`, `imbalance_20`, `imbalance_weighted`, `depth_reach_bps`, `bid_depth_5bps_base`, `bid_depth_5bps_usd`, `ask_depth_5bps_base`, `ask_depth_5bps_usd`, `imbalance_5bps`, `bid_depth_10bps_base`, `bid_depth_10bps_usd`, `ask_depth_10bps_base`, `ask_depth_10bps_usd`, `imbalance_10bps`, `bid_depth_25bps_base`, `bid_depth_25bps_usd`, `ask_depth_25bps_base`, `ask_depth_25bps_usd`, `imbalance_25bps`, `bid_depth_50bps_base`, `bid_depth_50bps_usd`, `ask_depth_50bps_base`, `ask_depth_50bps_usd`, `imbalance_50bps`, `bid_depth_100bps_base`, `bid_depth_100bps_usd`, `ask_depth_100bps_base`, `ask_depth_100bps_usd`, `imbalance_100bps`, `bid_depth_levels_5_base`, `ask_depth_levels_5_base`, `bid_depth_levels_10_base`, `ask_depth_levels_10_base`, `bid_depth_levels_20_base`, `ask_depth_levels_20_base`, `bid_slope_base_per_bp`, `ask_slope_base_per_bp`, `bid_pressure_usd`, `ask_pressure_usd`, `depth_pressure`, `ofi`, `ofi_per_depth`, `mlofi_2`, `mlofi_3`, `mlofi_4`, `mlofi_5`, `messages`, `book_ok`, `gap_ms`, `stale_ms`, `late_rows`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_book` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `features_tape` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `open` Nullable(Float64) COMMENT 'price of the earliest trade by event time; unit: quote; null when: no trade in the window; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `high` Nullable(Float64) COMMENT 'highest price; unit: quote; null when: no trade in the window; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `low` Nullable(Float64) COMMENT 'lowest price; unit: quote; null when: no trade in the window; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `close` Nullable(Float64) COMMENT 'price of the latest trade by event time; unit: quote; null when: no trade in the window; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `vwap` Nullable(Float64) COMMENT 'volume-weighted average price; unit: quote; formula: sum p q / sum q; null when: no trade in the window; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `volume_base` Nullable(Float64) COMMENT 'traded volume; unit: base; formula: sum q; null when: contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `volume_usd` Nullable(Float64) COMMENT 'traded volume; unit: USD; formula: sum p q; null when: contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `buy_volume_base` Nullable(Float64) COMMENT 'volume of aggressive buys; unit: base; null when: contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `buy_volume_usd` Nullable(Float64) COMMENT 'volume of aggressive buys; unit: USD; null when: contract unknown; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `signed_volume` Nullable(Float64) COMMENT 'aggressive buys less aggressive sells; unit: base; formula: sum s q; sign: net buying: positive; null when: contract unknown' CODEC(Gorilla, ZSTD(1)),
  `taker_ratio` Nullable(Float64) COMMENT 'buys\' share of base volume; unit: 1; formula: buy volume / volume; null when: no trade in the window; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `trades` Int64 COMMENT 'number of trades; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `buys` Int64 COMMENT 'number of aggressive buys; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `cvd` Nullable(Float64) COMMENT 'signed volume since 00:00 UTC, at the window\'s end; unit: base; formula: sum s q; sign: net buying: positive; null when: no trade yet, or contract unknown' CODEC(Gorilla, ZSTD(1)),
  `realised_variance` Nullable(Float64) COMMENT 'sum of squared log returns of trade prices on the pane grid, not annualised; unit: 1; formula: sum r_p^2; null when: no return known yet: fewer than two panes with a trade; at least: 0; source: Andersen & Bollerslev (1998)' CODEC(Gorilla, ZSTD(1)),
  `bipower_variation` Nullable(Float64) COMMENT 'realised variance without its jumps, not annualised; unit: 1; formula: (pi / 2) sum |r_p| |r_{p-1}|; null when: no return known yet: fewer than two panes with a trade; at least: 0; source: Barndorff-Nielsen & Shephard (2004)' CODEC(Gorilla, ZSTD(1)),
  `long_liquidations` Int64 COMMENT 'liquidations of longs; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `short_liquidations` Int64 COMMENT 'liquidations of shorts; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `long_liquidated_base` Nullable(Float64) COMMENT 'size of the longs liquidated; unit: base; formula: sum of qty_base; null when: a size in it is not known (contract unknown or message without a price); at least: 0' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_base` Nullable(Float64) COMMENT 'size of the shorts liquidated; unit: base; formula: sum of qty_base; null when: a size in it is not known (contract unknown or message without a price); at least: 0' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_usd` Nullable(Float64) COMMENT 'size of the longs liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); at least: 0' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_usd` Nullable(Float64) COMMENT 'size of the shorts liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); at least: 0' CODEC(Gorilla, ZSTD(1)),
  `largest_liquidation_usd` Nullable(Float64) COMMENT 'largest single liquidation; unit: USD; formula: max of notional_usd; null when: no liquidation in the window; a size in it is not known (contract unknown or message without a price); at least: 0' CODEC(Gorilla, ZSTD(1)),
  `throttled` Bool COMMENT 'the venue sends at most one a second: counts and sums are lower bounds' CODEC(ZSTD(1)),
  `mark_price` Nullable(Float64) COMMENT 'the venue\'s mark price; unit: quote; null when: the venue has not sent it yet; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `index_price` Nullable(Float64) COMMENT 'the venue\'s index price; unit: quote; null when: the venue has not sent it yet; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `basis_bps` Nullable(Float64) COMMENT 'mark above index; unit: bps; formula: 1e4 * (mark - index) / index; sign: positive: the perpetual is dear; null when: the venue has not sent it yet' CODEC(Gorilla, ZSTD(1)),
  `funding_rate` Nullable(Float64) COMMENT 'predicted rate of the running funding interval; unit: fraction; sign: positive: longs pay; null when: the venue has not sent it yet' CODEC(Gorilla, ZSTD(1)),
  `next_funding_time` DateTime64(3, 'UTC') COMMENT 'when funding is next exchanged; 1970 when not known' CODEC(DoubleDelta, ZSTD(1)),
  `open_interest_base` Nullable(Float64) COMMENT 'open interest in base units; unit: base; null when: the venue has not sent it yet; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `open_interest_usd` Nullable(Float64) COMMENT 'open interest at mark, in USD; unit: USD; null when: the venue has not sent it yet; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `mark_age_ms` Nullable(Float64) COMMENT 'age of the mark at the window\'s end; unit: ms; null when: the venue has not sent it yet' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; null when: there was no message with an event time yet' CODEC(Gorilla, ZSTD(1)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`open`), true) AND ifNull(isFinite(`high`), true) AND ifNull(isFinite(`low`), true) AND ifNull(isFinite(`close`), true) AND ifNull(isFinite(`vwap`), true) AND ifNull(isFinite(`volume_base`), true) AND ifNull(isFinite(`volume_usd`), true) AND ifNull(isFinite(`buy_volume_base`), true) AND ifNull(isFinite(`buy_volume_usd`), true) AND ifNull(isFinite(`signed_volume`), true) AND ifNull(isFinite(`taker_ratio`), true) AND ifNull(isFinite(`cvd`), true) AND ifNull(isFinite(`realised_variance`), true) AND ifNull(isFinite(`bipower_variation`), true) AND ifNull(isFinite(`long_liquidated_base`), true) AND ifNull(isFinite(`short_liquidated_base`), true) AND ifNull(isFinite(`long_liquidated_usd`), true) AND ifNull(isFinite(`short_liquidated_usd`), true) AND ifNull(isFinite(`largest_liquidation_usd`), true) AND ifNull(isFinite(`mark_price`), true) AND ifNull(isFinite(`index_price`), true) AND ifNull(isFinite(`basis_bps`), true) AND ifNull(isFinite(`funding_rate`), true) AND ifNull(isFinite(`open_interest_base`), true) AND ifNull(isFinite(`open_interest_usd`), true) AND ifNull(isFinite(`mark_age_ms`), true) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic features.tape';

CREATE VIEW IF NOT EXISTS `features_tape_dense` AS
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
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `open`, `high`, `low`, `close`, `vwap`, `volume_base`, `volume_usd`, `buy_volume_base`, `buy_volume_usd`, `signed_volume`, `taker_ratio`, `trades`, `buys`, `cvd`, `realised_variance`, `bipower_variation`, `long_liquidations`, `short_liquidations`, `long_liquidated_base`, `short_liquidated_base`, `long_liquidated_usd`, `short_liquidated_usd`, `largest_liquidation_usd`, `throttled`, `mark_price`, `index_price`, `basis_bps`, `funding_rate`, `next_funding_time`, `open_interest_base`, `open_interest_usd`, `mark_age_ms`, `stale_ms`, `late_rows`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_tape` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `liquidations` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'when the venue\'s engine liquidated; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `order_side` LowCardinality(String) COMMENT 'side of the forced order, buy or sell; sign: sell: a long was liquidated' CODEC(ZSTD(3)),
  `position_side` LowCardinality(String) COMMENT 'the victim\'s position, long or short; sign: long: the forced order sells' CODEC(ZSTD(3)),
  `qty_base` Nullable(Float64) COMMENT 'size liquidated; unit: base; formula: lots * lot * contract; inverse: / price; null when: contract unknown; inverse: message without a price; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `price` Nullable(Float64) COMMENT 'price as the venue states it, see price_kind; unit: quote; null when: message without a price; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `price_kind` LowCardinality(String) COMMENT 'fill_average, limit, bankruptcy or trade' CODEC(ZSTD(3)),
  `notional_usd` Nullable(Float64) COMMENT 'size liquidated; unit: USD; formula: qty_base * price; null when: contract unknown; linear: message without a price; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `throttled` Bool COMMENT 'the venue sends at most one a second: sums are lower bounds' CODEC(ZSTD(1)),
  `raw_offset` Int64 COMMENT 'offset of the raw record it came from; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `nth` Int64 COMMENT 'which of the instrument\'s liquidations of that millisecond, in log order; at least: 0' CODEC(Delta, ZSTD(1)),
  `received_at` DateTime64(3, 'UTC') COMMENT 'when the message was received' CODEC(DoubleDelta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`qty_base`), true) AND ifNull(isFinite(`price`), true) AND ifNull(isFinite(`notional_usd`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 730 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic liquidations';

CREATE TABLE IF NOT EXISTS `quality` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `depth_messages` Int64 COMMENT 'depth messages read; at least: 0' CODEC(Delta, ZSTD(1)),
  `depth_dropped` Int64 COMMENT 'stale or repeated depth messages, rightly ignored; at least: 0' CODEC(Delta, ZSTD(1)),
  `depth_gaps` Int64 COMMENT 'breaks in the chain of depth messages; at least: 0' CODEC(Delta, ZSTD(1)),
  `untrusted_ms` Float64 COMMENT 'event time during which the book was not trusted; unit: ms; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `book_live` Bool COMMENT 'the book is trusted at the window\'s end' CODEC(ZSTD(1)),
  `sequenced` Bool COMMENT 'the venue\'s messages carry ids that prove completeness' CODEC(ZSTD(1)),
  `bid_levels` Int64 COMMENT 'bid levels held; at least: 0' CODEC(Delta, ZSTD(1)),
  `ask_levels` Int64 COMMENT 'ask levels held; at least: 0' CODEC(Delta, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; null when: there was no message with an event time yet' CODEC(Gorilla, ZSTD(1)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK isFinite(`untrusted_ms`) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic quality';

CREATE TABLE IF NOT EXISTS `forecast_vectors` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `as_of` DateTime64(3, 'UTC') COMMENT 'the minute at whose end this was known' CODEC(DoubleDelta, ZSTD(1)),
  `feature_version` LowCardinality(String) COMMENT 'fingerprint of the names, order and definitions of the features' CODEC(ZSTD(3)),
  `long_liquidated_usd` Nullable(Float64) COMMENT 'longs liquidated in the minute; unit: USD; null when: not known; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_usd` Nullable(Float64) COMMENT 'shorts liquidated in the minute; unit: USD; null when: not known; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `spread_bps` Nullable(Float64) COMMENT 'feature of the family book; unit: bps; formula: spread_bps; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `spread_log_vs_hour` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: ln(spread_bps / mean over 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `imbalance_1` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: imbalance_1; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `imbalance_5` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: imbalance_5; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `imbalance_10bps` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: imbalance_10bps; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `imbalance_50bps` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: imbalance_50bps; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `depth_log_ratio` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: ln(bid_depth_10bps_usd / ask_depth_10bps_usd); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `depth_log_vs_hour` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: ln(depth 10 bps both sides / mean over 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `ofi_per_depth` Nullable(Float64) COMMENT 'feature of the family book; unit: 1; formula: ofi_per_depth; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `volatility_1m_bps` Nullable(Float64) COMMENT 'feature of the family variance; unit: bps; formula: 1e4 sqrt(RV 1 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_1m_5m` Nullable(Float64) COMMENT 'feature of the family variance; unit: 1; formula: 5 RV 1 m / RV 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_5m_60m` Nullable(Float64) COMMENT 'feature of the family variance; unit: 1; formula: 12 RV 5 m / RV 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `return_1m_over_sigma` Nullable(Float64) COMMENT 'feature of the family momentum; unit: 1; formula: ln(mid / mid 1 m ago) / sqrt(RV 60 m / 60); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `return_5m_over_sigma` Nullable(Float64) COMMENT 'feature of the family momentum; unit: 1; formula: ln(mid / mid 5 m ago) / sqrt(RV 60 m / 12); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `return_15m_over_sigma` Nullable(Float64) COMMENT 'feature of the family momentum; unit: 1; formula: ln(mid / mid 15 m ago) / sqrt(RV 60 m / 4); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `taker_imbalance_1m` Nullable(Float64) COMMENT 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 1 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `taker_imbalance_5m` Nullable(Float64) COMMENT 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `taker_imbalance_15m` Nullable(Float64) COMMENT 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 15 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `volume_vs_hour` Nullable(Float64) COMMENT 'feature of the family tape; unit: 1; formula: 60 volume 1 m / volume 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidations_1m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 1 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidations_1m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 1 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidations_5m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidations_5m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidations_30m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidations_30m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_share_1m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 1 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_share_1m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 1 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_share_5m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_share_5m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_share_30m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_share_30m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `minutes_since_long_liquidation` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: minutes; formula: whole minutes, 0 in this one; NaN: none seen; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `minutes_since_short_liquidation` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: minutes; formula: whole minutes, 0 in this one; NaN: none seen; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `basis_bps` Nullable(Float64) COMMENT 'feature of the family derivatives; unit: bps; formula: 1e4 (mark - index) / index; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `funding_rate_bps` Nullable(Float64) COMMENT 'feature of the family derivatives; unit: bps; formula: 1e4 predicted funding of the interval; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `minutes_to_funding` Nullable(Float64) COMMENT 'feature of the family derivatives; unit: minutes; formula: (next_funding - t) / 1 m; NaN when past; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `open_interest_change_5m` Nullable(Float64) COMMENT 'feature of the family derivatives; unit: 1; formula: ln(OI / OI 5 m ago); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `open_interest_change_60m` Nullable(Float64) COMMENT 'feature of the family derivatives; unit: 1; formula: ln(OI / OI 60 m ago); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `hour_of_week_sin` Nullable(Float64) COMMENT 'feature of the family calendar; unit: 1; formula: sin(2 pi t / 1 week); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `hour_of_week_cos` Nullable(Float64) COMMENT 'feature of the family calendar; unit: 1; formula: cos(2 pi t / 1 week); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `volatility_60m_bps` Nullable(Float64) COMMENT 'feature of the family variance; unit: bps; formula: 1e4 sqrt(RV 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `return_60m_over_sigma` Nullable(Float64) COMMENT 'feature of the family momentum; unit: 1; formula: ln(mid / mid 60 m ago) / sqrt(RV 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_share_60m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_share_60m` Nullable(Float64) COMMENT 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_mass_50bps` Nullable(Float64) COMMENT 'feature of the family levels; unit: bps; formula: estimated USD of longs, opened in 60 m and liquidated by a move of 50 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_mass_50bps` Nullable(Float64) COMMENT 'feature of the family levels; unit: bps; formula: estimated USD of shorts, opened in 60 m and liquidated by a move of 50 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_mass_150bps` Nullable(Float64) COMMENT 'feature of the family levels; unit: bps; formula: estimated USD of longs, opened in 60 m and liquidated by a move of 150 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_mass_150bps` Nullable(Float64) COMMENT 'feature of the family levels; unit: bps; formula: estimated USD of shorts, opened in 60 m and liquidated by a move of 150 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_over_threshold_5m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_over_threshold_5m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 5 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_over_threshold_15m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 15 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_over_threshold_15m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 15 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_over_threshold_30m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_over_threshold_30m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 30 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_liquidated_over_threshold_60m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_liquidated_over_threshold_60m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 60 m; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_threshold_log_vs_volume_5m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 5 m / volume in 5 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_threshold_log_vs_volume_5m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 5 m / volume in 5 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_threshold_log_vs_volume_15m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 15 m / volume in 15 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_threshold_log_vs_volume_15m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 15 m / volume in 15 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_threshold_log_vs_volume_30m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 30 m / volume in 30 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_threshold_log_vs_volume_30m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 30 m / volume in 30 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `long_threshold_log_vs_volume_60m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 60 m / volume in 60 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `short_threshold_log_vs_volume_60m` Nullable(Float64) COMMENT 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 60 m / volume in 60 m at the rate of 60 m); null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `leader_volatility_1m_bps` Nullable(Float64) COMMENT 'feature of the family leader; unit: bps; formula: volatility_1m_bps of the leader at its last minute before this one, at most 5 m ago; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `leader_return_1m_over_sigma` Nullable(Float64) COMMENT 'feature of the family leader; unit: 1; formula: return_1m_over_sigma of the leader at its last minute before this one, at most 5 m ago; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `leader_return_15m_over_sigma` Nullable(Float64) COMMENT 'feature of the family leader; unit: 1; formula: return_15m_over_sigma of the leader at its last minute before this one, at most 5 m ago; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `leader_long_liquidated_share_5m` Nullable(Float64) COMMENT 'feature of the family leader; unit: 1; formula: long_liquidated_share_5m of the leader at its last minute before this one, at most 5 m ago; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `leader_short_liquidated_share_5m` Nullable(Float64) COMMENT 'feature of the family leader; unit: 1; formula: short_liquidated_share_5m of the leader at its last minute before this one, at most 5 m ago; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `book_age_s` Nullable(Float64) COMMENT 'feature of the family staleness; unit: s; formula: age of the book at t; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `tape_age_s` Nullable(Float64) COMMENT 'feature of the family staleness; unit: s; formula: age of the last trade at t; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `derivatives_age_s` Nullable(Float64) COMMENT 'feature of the family staleness; unit: s; formula: age of the last mark at t; null when: a row or minute that it needs was not seen' CODEC(Gorilla, ZSTD(1)),
  `book_ok` Bool COMMENT 'the book was trusted for the whole window, up to its end' CODEC(ZSTD(1)),
  `gap_ms` Nullable(Float64) COMMENT 'event time that passed, up to the messages of this window, while the book was not trusted; unit: ms; null when: no book was seen of the instrument; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; null when: there was no message with an event time yet' CODEC(Gorilla, ZSTD(1)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `as_of` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`long_liquidated_usd`), true) AND ifNull(isFinite(`short_liquidated_usd`), true) AND ifNull(isFinite(`spread_bps`), true) AND ifNull(isFinite(`spread_log_vs_hour`), true) AND ifNull(isFinite(`imbalance_1`), true) AND ifNull(isFinite(`imbalance_5`), true) AND ifNull(isFinite(`imbalance_10bps`), true) AND ifNull(isFinite(`imbalance_50bps`), true) AND ifNull(isFinite(`depth_log_ratio`), true) AND ifNull(isFinite(`depth_log_vs_hour`), true) AND ifNull(isFinite(`ofi_per_depth`), true) AND ifNull(isFinite(`volatility_1m_bps`), true) AND ifNull(isFinite(`variance_ratio_1m_5m`), true) AND ifNull(isFinite(`variance_ratio_5m_60m`), true) AND ifNull(isFinite(`return_1m_over_sigma`), true) AND ifNull(isFinite(`return_5m_over_sigma`), true) AND ifNull(isFinite(`return_15m_over_sigma`), true) AND ifNull(isFinite(`taker_imbalance_1m`), true) AND ifNull(isFinite(`taker_imbalance_5m`), true) AND ifNull(isFinite(`taker_imbalance_15m`), true) AND ifNull(isFinite(`volume_vs_hour`), true) AND ifNull(isFinite(`long_liquidations_1m`), true) AND ifNull(isFinite(`short_liquidations_1m`), true) AND ifNull(isFinite(`long_liquidations_5m`), true) AND ifNull(isFinite(`short_liquidations_5m`), true) AND ifNull(isFinite(`long_liquidations_30m`), true) AND ifNull(isFinite(`short_liquidations_30m`), true) AND ifNull(isFinite(`long_liquidated_share_1m`), true) AND ifNull(isFinite(`short_liquidated_share_1m`), true) AND ifNull(isFinite(`long_liquidated_share_5m`), true) AND ifNull(isFinite(`short_liquidated_share_5m`), true) AND ifNull(isFinite(`long_liquidated_share_30m`), true) AND ifNull(isFinite(`short_liquidated_share_30m`), true) AND ifNull(isFinite(`minutes_since_long_liquidation`), true) AND ifNull(isFinite(`minutes_since_short_liquidation`), true) AND ifNull(isFinite(`basis_bps`), true) AND ifNull(isFinite(`funding_rate_bps`), true) AND ifNull(isFinite(`minutes_to_funding`), true) AND ifNull(isFinite(`open_interest_change_5m`), true) AND ifNull(isFinite(`open_interest_change_60m`), true) AND ifNull(isFinite(`hour_of_week_sin`), true) AND ifNull(isFinite(`hour_of_week_cos`), true) AND ifNull(isFinite(`volatility_60m_bps`), true) AND ifNull(isFinite(`return_60m_over_sigma`), true) AND ifNull(isFinite(`long_liquidated_share_60m`), true) AND ifNull(isFinite(`short_liquidated_share_60m`), true) AND ifNull(isFinite(`long_mass_50bps`), true) AND ifNull(isFinite(`short_mass_50bps`), true) AND ifNull(isFinite(`long_mass_150bps`), true) AND ifNull(isFinite(`short_mass_150bps`), true) AND ifNull(isFinite(`long_liquidated_over_threshold_5m`), true) AND ifNull(isFinite(`short_liquidated_over_threshold_5m`), true) AND ifNull(isFinite(`long_liquidated_over_threshold_15m`), true) AND ifNull(isFinite(`short_liquidated_over_threshold_15m`), true) AND ifNull(isFinite(`long_liquidated_over_threshold_30m`), true) AND ifNull(isFinite(`short_liquidated_over_threshold_30m`), true) AND ifNull(isFinite(`long_liquidated_over_threshold_60m`), true) AND ifNull(isFinite(`short_liquidated_over_threshold_60m`), true) AND ifNull(isFinite(`long_threshold_log_vs_volume_5m`), true) AND ifNull(isFinite(`short_threshold_log_vs_volume_5m`), true) AND ifNull(isFinite(`long_threshold_log_vs_volume_15m`), true) AND ifNull(isFinite(`short_threshold_log_vs_volume_15m`), true) AND ifNull(isFinite(`long_threshold_log_vs_volume_30m`), true) AND ifNull(isFinite(`short_threshold_log_vs_volume_30m`), true) AND ifNull(isFinite(`long_threshold_log_vs_volume_60m`), true) AND ifNull(isFinite(`short_threshold_log_vs_volume_60m`), true) AND ifNull(isFinite(`leader_volatility_1m_bps`), true) AND ifNull(isFinite(`leader_return_1m_over_sigma`), true) AND ifNull(isFinite(`leader_return_15m_over_sigma`), true) AND ifNull(isFinite(`leader_long_liquidated_share_5m`), true) AND ifNull(isFinite(`leader_short_liquidated_share_5m`), true) AND ifNull(isFinite(`book_age_s`), true) AND ifNull(isFinite(`tape_age_s`), true) AND ifNull(isFinite(`derivatives_age_s`), true) AND ifNull(isFinite(`gap_ms`), true) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`as_of`)
ORDER BY (`venue`, `symbol`, `as_of`)
TTL toDateTime(`ingested_at`) + INTERVAL 730 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic forecast.vectors';

CREATE TABLE IF NOT EXISTS `forecasts_liquidation` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `as_of` DateTime64(3, 'UTC') COMMENT 'the minute at whose end this was known' CODEC(DoubleDelta, ZSTD(1)),
  `position_side` LowCardinality(String) COMMENT 'Whose liquidations: long or short' CODEC(ZSTD(3)),
  `horizon_min` Int64 COMMENT 'Horizon; unit: minutes; at least: 1' CODEC(Delta, ZSTD(1)),
  `p_burst` Nullable(Float64) COMMENT 'Calibrated probability of a liquidation burst; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `p_burst_low` Nullable(Float64) COMMENT 'Lower end of the Venn-Abers interval; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `p_burst_high` Nullable(Float64) COMMENT 'Upper end of the Venn-Abers interval; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `base_rate` Nullable(Float64) COMMENT 'Share of bursts in the span the model was fitted on; unit: 1; null when: there is no model; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `expected_notional_usd` Nullable(Float64) COMMENT 'Expected liquidations within the horizon; a lower bound where the venue is throttled; unit: USD; formula: p E[V | burst] + (1 - p) E[V | calm]; null when: the forecast abstains, see abstain_reason; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `confidence` Nullable(Float64) COMMENT 'How far the probability is to be trusted; not the probability itself; unit: 1; formula: (1 - (p1 - p0)) Q D; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `risk_level` LowCardinality(String) COMMENT 'low, medium, high or critical, by base rate; empty when the forecast abstains' CODEC(ZSTD(3)),
  `top_factors` LowCardinality(String) COMMENT 'JSON: families with their signed log-odds in the uncalibrated score, largest first' CODEC(ZSTD(3)),
  `model_version` LowCardinality(String) COMMENT 'Which model version' CODEC(ZSTD(3)),
  `abstain_reason` LowCardinality(String) COMMENT 'Why there is no forecast; empty when there is one' CODEC(ZSTD(3)),
  `threshold_usd` Nullable(Float64) COMMENT 'What counts as a burst: more than this is liquidated within the horizon; unit: USD; formula: max(floor, 0.95-quantile of the windows of 7 days that have ended); null when: fewer than 60 windows of this horizon have ended; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `book_ok` Bool COMMENT 'the book was trusted for the whole window, up to its end' CODEC(ZSTD(1)),
  `gap_ms` Nullable(Float64) COMMENT 'event time that passed, up to the messages of this window, while the book was not trusted; unit: ms; null when: no book was seen of the instrument; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; null when: there was no message with an event time yet' CODEC(Gorilla, ZSTD(1)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `as_of` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`p_burst`), true) AND ifNull(isFinite(`p_burst_low`), true) AND ifNull(isFinite(`p_burst_high`), true) AND ifNull(isFinite(`base_rate`), true) AND ifNull(isFinite(`expected_notional_usd`), true) AND ifNull(isFinite(`confidence`), true) AND ifNull(isFinite(`threshold_usd`), true) AND ifNull(isFinite(`gap_ms`), true) AND ifNull(isFinite(`stale_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`as_of`)
ORDER BY (`venue`, `symbol`, `as_of`, `horizon_min`, `position_side`)
TTL toDateTime(`ingested_at`) + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic forecasts.liquidation';

CREATE TABLE IF NOT EXISTS `model_versions` (
  `version` LowCardinality(String) COMMENT 'model version, named by the hash of what it is' CODEC(ZSTD(3)),
  `in_force_from` DateTime64(3, 'UTC') COMMENT 'first minute for which forecasts are made with it' CODEC(DoubleDelta, ZSTD(1)),
  `feature_version` LowCardinality(String) COMMENT 'fingerprint of the features it reads' CODEC(ZSTD(3)),
  `label_version` LowCardinality(String) COMMENT 'what it was taught to call a burst' CODEC(ZSTD(3)),
  `trained_from` DateTime64(3, 'UTC') COMMENT 'first minute of the data it was made of, its held-out test included' CODEC(DoubleDelta, ZSTD(1)),
  `trained_to` DateTime64(3, 'UTC') COMMENT 'last minute of these' CODEC(DoubleDelta, ZSTD(1)),
  `forecasts` LowCardinality(String) COMMENT 'sides and horizons it has a model for, such as long 5, short 5' CODEC(ZSTD(3)),
  `data_hash` LowCardinality(String) COMMENT 'hash of the cases it was made of' CODEC(ZSTD(3)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (`version`, `in_force_from`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic model.versions';

CREATE TABLE IF NOT EXISTS `forecast_scores` (
  `version` LowCardinality(String) COMMENT 'model version' CODEC(ZSTD(3)),
  `position_side` LowCardinality(String) COMMENT 'whose liquidations: long or short' CODEC(ZSTD(3)),
  `horizon_min` Int64 COMMENT 'horizon; unit: minutes; at least: 1' CODEC(Delta, ZSTD(1)),
  `baseline` LowCardinality(String) COMMENT 'what it is compared with: climatology, persistence or volatility' CODEC(ZSTD(3)),
  `scored_from` DateTime64(3, 'UTC') COMMENT 'first minute of the held-out test' CODEC(DoubleDelta, ZSTD(1)),
  `scored_to` DateTime64(3, 'UTC') COMMENT 'last minute of it' CODEC(DoubleDelta, ZSTD(1)),
  `cases` Int64 COMMENT 'instruments times minutes; unit: count; at least: 1' CODEC(Delta, ZSTD(1)),
  `days` Int64 COMMENT 'days of them, the unit of the bootstrap; unit: days; at least: 1' CODEC(Delta, ZSTD(1)),
  `prevalence` Float64 COMMENT 'share of bursts: the precision of a forecast without skill; unit: 1; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `pr_auc` Nullable(Float64) COMMENT 'average precision; unit: 1; null when: only bursts, or only calm, in the test; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `brier` Float64 COMMENT 'mean squared error of the probability; unit: 1; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `calibration_error` Float64 COMMENT 'mean distance of forecast and observed share, 15 bins; unit: 1; at least: 0; at most: 1' CODEC(Gorilla, ZSTD(1)),
  `skill` Float64 COMMENT 'Brier skill against the baseline; unit: 1; formula: 1 - Brier / Brier of the baseline; sign: better: > 0' CODEC(Gorilla, ZSTD(1)),
  `skill_low` Nullable(Float64) COMMENT '2.5 % of the bootstrap over days; unit: 1; null when: fewer than two days' CODEC(Gorilla, ZSTD(1)),
  `skill_high` Nullable(Float64) COMMENT '97.5 % of it; unit: 1; null when: fewer than two days' CODEC(Gorilla, ZSTD(1)),
  `beaten` Bool COMMENT 'the whole interval lies above 0' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  CONSTRAINT finite CHECK isFinite(`prevalence`) AND ifNull(isFinite(`pr_auc`), true) AND isFinite(`brier`) AND isFinite(`calibration_error`) AND isFinite(`skill`) AND ifNull(isFinite(`skill_low`), true) AND ifNull(isFinite(`skill_high`), true)
)
ENGINE = ReplacingMergeTree
ORDER BY (`version`, `position_side`, `horizon_min`, `baseline`, `scored_to`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic forecast.scores';

CREATE TABLE IF NOT EXISTS `risk_accounts` (
  `account` String COMMENT 'the account; unit: id' CODEC(ZSTD(3)),
  `as_of` DateTime64(3, 'UTC') COMMENT 'end of the second for which the row holds' CODEC(DoubleDelta, ZSTD(1)),
  `record_as_of` DateTime64(3, 'UTC') COMMENT 'time of the account\'s record in force' CODEC(DoubleDelta, ZSTD(1)),
  `equity_usd` Nullable(Float64) COMMENT 'Wallet balances in dollar assets and profit of cross positions; unit: USD; formula: sum wallet + sum s q (mark - EP); null when: a cross position has no mark' CODEC(Gorilla, ZSTD(1)),
  `gross_usd` Nullable(Float64) COMMENT 'Notional of all positions; unit: USD; formula: sum N; null when: a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `net_usd` Nullable(Float64) COMMENT 'Notional of longs less shorts; unit: USD; formula: sum s N; sign: + long; null when: a position has no mark' CODEC(Gorilla, ZSTD(1)),
  `initial_margin_usd` Nullable(Float64) COMMENT 'Initial margin of all positions; unit: USD; formula: sum N / l; null when: a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `maintenance_margin_usd` Nullable(Float64) COMMENT 'Maintenance margin of all positions; unit: USD; formula: sum MM; null when: a position has no mark or no tiers; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `nearest_liquidation_bps` Nullable(Float64) COMMENT 'Distance to liquidation of the position that is nearest to it; unit: bps of mark; formula: min 1e4 s (mark - LP) / mark; sign: positive: not reached; null when: no position has a liquidation price' CODEC(Gorilla, ZSTD(1)),
  `positions` Int64 COMMENT 'Open positions; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `positions_without_mark` Int64 COMMENT 'Positions whose market has no mark yet; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `positions_without_tiers` Int64 COMMENT 'Positions whose market has no maintenance tiers; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `balances_not_valued` Int64 COMMENT 'Balances in assets that are not dollars, left out; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `leverage_total` Nullable(Float64) COMMENT 'Notional of all positions over equity; unit: 1; formula: sum N / E; null when: the account is insolvent, or a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `leverage_net` Nullable(Float64) COMMENT 'Net notional over equity; unit: 1; formula: |sum s N| / E; null when: the account is insolvent, or a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `leverage_average` Nullable(Float64) COMMENT 'Leverage of the positions, weighted by notional; unit: 1; formula: sum N l / sum N; null when: no positions, or a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `leverage_max` Nullable(Float64) COMMENT 'Largest leverage of a position; unit: 1; formula: max l; null when: no positions; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `margin_utilisation` Nullable(Float64) COMMENT 'Initial margin over equity; unit: 1; formula: sum IM / E; null when: the account is insolvent, or a position has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `maintenance_ratio` Nullable(Float64) COMMENT 'Maintenance margin over equity; liquidation at 1; unit: 1; formula: sum MM / E; null when: the account is insolvent, or a position has no mark or no tiers; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `insolvent` Bool COMMENT 'Whether equity is zero or less' CODEC(ZSTD(1)),
  `var_99_1h` Nullable(Float64) COMMENT 'Loss over one hour that 99 % of past hours did not exceed; unit: share of equity; formula: -quantile_.01(r), type 7; sign: + loss; null when: see tail_reason; source: Hyndman & Fan (1996), definition 7' CODEC(Gorilla, ZSTD(1)),
  `es_99_1h` Nullable(Float64) COMMENT 'Mean loss over one hour in the worst 1 % of past hours; unit: share of equity; formula: -mean(r | r <= quantile_.01(r)); sign: + loss; null when: see tail_reason' CODEC(Gorilla, ZSTD(1)),
  `var_ewma_99_1h` Nullable(Float64) COMMENT 'Value at risk over one hour with EWMA volatility; unit: share of equity; formula: -z_.01 s, decay .97 an hour; sign: + loss; null when: see tail_reason; fewer than 8 hours of history; at least: 0; source: RiskMetrics (1996)' CODEC(Gorilla, ZSTD(1)),
  `var_99_1h_usd` Nullable(Float64) COMMENT 'var_99_1h in dollars; unit: USD; formula: VaR E; sign: + loss; null when: see tail_reason' CODEC(Gorilla, ZSTD(1)),
  `es_99_1h_usd` Nullable(Float64) COMMENT 'es_99_1h in dollars; unit: USD; formula: ES E; sign: + loss; null when: see tail_reason' CODEC(Gorilla, ZSTD(1)),
  `tail_returns` Int64 COMMENT 'Past returns that the tail numbers rest on; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `tail_reason` LowCardinality(String) COMMENT 'Why the tail numbers are null; empty when they are not' CODEC(ZSTD(3)),
  `risk_level` LowCardinality(String) COMMENT 'unknown, low, elevated, high or critical, by maintenance ratio and nearest liquidation' CODEC(ZSTD(3)),
  `late_rows` Int64 COMMENT 'messages that came after their window had closed, counted here; at least: 0' CODEC(Delta, ZSTD(1)),
  `marks_ok` Bool COMMENT 'every mark the row rests on is known and at most 90 s old' CODEC(ZSTD(1)),
  `mark_age_ms` Nullable(Float64) COMMENT 'age of the oldest mark the row rests on, as last published; unit: ms; null when: no mark' CODEC(Gorilla, ZSTD(1)),
  `book_ok` Bool COMMENT 'the books of the markets it is about were trusted when last published' CODEC(ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the second: event (a later event), end (of bounded logs), idle (a log was quiet)' CODEC(ZSTD(3)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `as_of` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`equity_usd`), true) AND ifNull(isFinite(`gross_usd`), true) AND ifNull(isFinite(`net_usd`), true) AND ifNull(isFinite(`initial_margin_usd`), true) AND ifNull(isFinite(`maintenance_margin_usd`), true) AND ifNull(isFinite(`nearest_liquidation_bps`), true) AND ifNull(isFinite(`leverage_total`), true) AND ifNull(isFinite(`leverage_net`), true) AND ifNull(isFinite(`leverage_average`), true) AND ifNull(isFinite(`leverage_max`), true) AND ifNull(isFinite(`margin_utilisation`), true) AND ifNull(isFinite(`maintenance_ratio`), true) AND ifNull(isFinite(`var_99_1h`), true) AND ifNull(isFinite(`es_99_1h`), true) AND ifNull(isFinite(`var_ewma_99_1h`), true) AND ifNull(isFinite(`var_99_1h_usd`), true) AND ifNull(isFinite(`es_99_1h_usd`), true) AND ifNull(isFinite(`mark_age_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`as_of`)
ORDER BY (`account`, `as_of`)
TTL toDateTime(`ingested_at`) + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic risk.accounts';

CREATE TABLE IF NOT EXISTS `risk_positions` (
  `account` String COMMENT 'the account; unit: id' CODEC(ZSTD(3)),
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `as_of` DateTime64(3, 'UTC') COMMENT 'end of the second for which the row holds' CODEC(DoubleDelta, ZSTD(1)),
  `open` Bool COMMENT 'false in the last row of a position that is closed' CODEC(ZSTD(1)),
  `margin_mode` LowCardinality(String) COMMENT 'isolated or cross' CODEC(ZSTD(3)),
  `leverage` Float64 COMMENT 'leverage of the position; unit: 1; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `isolated_margin_usd` Nullable(Float64) COMMENT 'margin put aside for it; unit: USD; null when: cross; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `qty_base` Float64 COMMENT 'Position size; unit: base units; sign: + long, - short' CODEC(Gorilla, ZSTD(1)),
  `entry_price` Float64 COMMENT 'Average price of entry; unit: quote per base; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `mark_price` Nullable(Float64) COMMENT 'Mark price in force; unit: quote per base; null when: the market has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `notional_usd` Nullable(Float64) COMMENT 'Size at mark; unit: USD; formula: q mark; null when: the market has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `unrealised_pnl_usd` Nullable(Float64) COMMENT 'Profit since entry; unit: USD; formula: s q (mark - EP); sign: + profit; null when: the market has no mark' CODEC(Gorilla, ZSTD(1)),
  `initial_margin_usd` Nullable(Float64) COMMENT 'Notional over leverage; unit: USD; formula: N / l; null when: the market has no mark; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `maintenance_margin_usd` Nullable(Float64) COMMENT 'Maintenance margin by the tier of the notional; unit: USD; formula: N mmr - cum; null when: the market has no mark or no maintenance tiers; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `liquidation_price` Nullable(Float64) COMMENT 'Mark price at which maintenance is no longer covered, other marks as they are; unit: quote per base; formula: (W + cum - s q EP) / (q mmr - s q); null when: no price liquidates the position, no maintenance tiers, or a cross position has no mark; at least: 0; source: Binance FAQ b3c689c1; Bybit help centre, Liquidation Price (USDT Contract)' CODEC(Gorilla, ZSTD(1)),
  `distance_to_liquidation_bps` Nullable(Float64) COMMENT 'How far the mark is from the liquidation price; unit: bps of mark; formula: 1e4 s (mark - LP) / mark; sign: positive: not reached; null when: no liquidation price or no mark' CODEC(Gorilla, ZSTD(1)),
  `depth_to_liquidation_usd` Nullable(Float64) COMMENT 'Resting orders between mark and liquidation price, on the side a forced order eats; unit: USD; formula: D(LP) - D(mark); null when: no liquidation price, it lies beyond the depth that is known, or the book is broken; at least: 0' CODEC(Gorilla, ZSTD(1)),
  `null_reason` String COMMENT 'why the liquidation price is null; empty when it is not; unit: text' CODEC(ZSTD(3)),
  `marks_ok` Bool COMMENT 'every mark the row rests on is known and at most 90 s old' CODEC(ZSTD(1)),
  `mark_age_ms` Nullable(Float64) COMMENT 'age of the oldest mark the row rests on, as last published; unit: ms; null when: no mark' CODEC(Gorilla, ZSTD(1)),
  `book_ok` Bool COMMENT 'the books of the markets it is about were trusted when last published' CODEC(ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the second: event (a later event), end (of bounded logs), idle (a log was quiet)' CODEC(ZSTD(3)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `as_of` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK isFinite(`leverage`) AND ifNull(isFinite(`isolated_margin_usd`), true) AND isFinite(`qty_base`) AND isFinite(`entry_price`) AND ifNull(isFinite(`mark_price`), true) AND ifNull(isFinite(`notional_usd`), true) AND ifNull(isFinite(`unrealised_pnl_usd`), true) AND ifNull(isFinite(`initial_margin_usd`), true) AND ifNull(isFinite(`maintenance_margin_usd`), true) AND ifNull(isFinite(`liquidation_price`), true) AND ifNull(isFinite(`distance_to_liquidation_bps`), true) AND ifNull(isFinite(`depth_to_liquidation_usd`), true) AND ifNull(isFinite(`mark_age_ms`), true)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`as_of`)
ORDER BY (`account`, `venue`, `symbol`, `as_of`)
TTL toDateTime(`ingested_at`) + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic risk.positions';

CREATE TABLE IF NOT EXISTS `alerts` (
  `alert_id` String COMMENT 'Names an alert from its raise to its clear' CODEC(ZSTD(3)),
  `rule` LowCardinality(String) COMMENT 'Which rule raised it' CODEC(ZSTD(3)),
  `subject` LowCardinality(String) COMMENT 'What it is about: account, or venue/symbol' CODEC(ZSTD(3)),
  `kind` LowCardinality(String) COMMENT 'raise, higher (a graver severity) or clear' CODEC(ZSTD(3)),
  `at` DateTime64(3, 'UTC') COMMENT 'Event time of this transition' CODEC(DoubleDelta, ZSTD(1)),
  `raised_at` DateTime64(3, 'UTC') COMMENT 'Event time of the raise' CODEC(DoubleDelta, ZSTD(1)),
  `cleared_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Event time of the clear; null when: not cleared; 0 in arrays' CODEC(DoubleDelta, ZSTD(1)),
  `severity` LowCardinality(String) COMMENT 'info, warning or critical; of a clear, the gravest before it' CODEC(ZSTD(3)),
  `downgraded` Bool COMMENT 'Whether the severity was lowered because the value came with a bad stamp' CODEC(ZSTD(1)),
  `value` Nullable(Float64) COMMENT 'The metric in force at the transition; unit: the metric\'s; null when: the subject is no more' CODEC(Gorilla, ZSTD(1)),
  `evidence` String COMMENT 'JSON: metric, thresholds and the rule\'s evidence columns; unit: json' CODEC(ZSTD(3)),
  `state` LowCardinality(String) COMMENT 'raised, or cleared once it is over' CODEC(ZSTD(3)),
  `revision` Int64 COMMENT 'grows from record to record of an alert: event time, ms, times 4, plus the kind; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `raised_at` TYPE minmax GRANULARITY 1,
  CONSTRAINT finite CHECK ifNull(isFinite(`value`), true)
)
ENGINE = ReplacingMergeTree(`revision`)
PARTITION BY toYYYYMM(`raised_at`)
ORDER BY (`alert_id`)
TTL toDateTime(`ingested_at`) + INTERVAL 730 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic alerts';

CREATE TABLE IF NOT EXISTS `rejects` (
  `reader` LowCardinality(String) COMMENT 'the flow that refused it' CODEC(ZSTD(3)),
  `topic` LowCardinality(String) COMMENT 'topic of the frame or record' CODEC(ZSTD(3)),
  `partition` Int64 COMMENT 'its partition; at least: 0' CODEC(Delta, ZSTD(1)),
  `offset` Int64 COMMENT 'its offset; at least: 0' CODEC(Delta, ZSTD(1)),
  `nth` Int64 COMMENT 'which row of the frame, where a frame holds several; at least: 0' CODEC(Delta, ZSTD(1)),
  `reason` String COMMENT 'why it was not used; unit: text' CODEC(ZSTD(3)),
  `size` Int64 COMMENT 'its size; unit: bytes; at least: 0' CODEC(Delta, ZSTD(1)),
  `bytes` String COMMENT 'its first 64 KiB, base64; unit: bytes' CODEC(ZSTD(3)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (`reader`, `topic`, `partition`, `offset`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 30 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic rejects';
