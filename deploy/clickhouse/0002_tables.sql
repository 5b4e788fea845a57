ALTER TABLE `features_book`
  COMMENT COLUMN IF EXISTS `last_update_id` 'the venue\'s id of the last message applied; -1: the book is not live, or the venue sends none; moves a row: never by itself',
  COMMENT COLUMN IF EXISTS `best_bid` 'highest bid price; unit: quote; formula: max p of bids; null when: book not live, or no bid; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `best_bid_qty_base` 'size at the best bid; unit: base; formula: Qb; null when: book not live, or no bid, or contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `best_ask` 'lowest ask price; unit: quote; formula: min p of asks; null when: book not live, or no ask; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `best_ask_qty_base` 'size at the best ask; unit: base; formula: Qa; null when: book not live, or no ask, or contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `mid` 'midpoint of best bid and best ask; unit: quote; formula: (Pb + Pa) / 2; null when: best bid or best ask is null; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `spread_bps` 'best ask less best bid, relative to mid; unit: bps; formula: 1e4 (Pa - Pb) / M; sign: negative: crossed; null when: best bid or best ask is null; at least: -20000; at most: 20000; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `weighted_mid` 'mid leaning to the side with less size, where the price is likelier to go; unit: quote; formula: (Pb Qa + Pa Qb) / (Qa + Qb); null when: best bid or best ask is null; at least: 0; source: barter-rs books/mod.rs',
  COMMENT COLUMN IF EXISTS `imbalance_1` 'imbalance of the best 1 levels, in base units; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `imbalance_5` 'imbalance of the best 5 levels, in base units; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 5 exact levels on a side and reach below 100 bps or the best price; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `imbalance_20` 'imbalance of the best 20 levels, in base units; unit: 1; formula: (B_L - A_L) / (B_L + A_L); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels on a side and reach below 100 bps or the best price; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `imbalance_weighted` 'imbalance of the best 20 levels, in base units, nearer levels weighing more; unit: 1; formula: the same, level l = 0, 1, ... weighted by exp(-l / 2); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels on a side and reach below 100 bps or the best price; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `depth_reach_bps` 'how far from mid both sides of the book are known exactly; unit: bps; formula: min over sides of max(0, 1e4 (M - p) / M of bids, 1e4 (p - M) / M of asks), p: the last price known: of the last snapshot (Binance; of an empty side every price) or of what is held; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); at least: 0; at most: 10000; moves a row: by more than 0.1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `bid_depth_5bps_base` 'bid depth within 5 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 5 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `bid_depth_5bps_usd` 'bid depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 5 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_5bps_base` 'ask depth within 5 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 5 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_5bps_usd` 'ask depth within 5 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 5; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 5 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `imbalance_5bps` 'imbalance of the depth within 5 bps of mid, in base units; unit: 1; formula: (D_bid(5) - D_ask(5)) / (D_bid(5) + D_ask(5)); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 5 bps beyond the exact reach of either side; nothing in the band; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `bid_depth_10bps_base` 'bid depth within 10 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `bid_depth_10bps_usd` 'bid depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_10bps_base` 'ask depth within 10 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_10bps_usd` 'ask depth within 10 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `imbalance_10bps` 'imbalance of the depth within 10 bps of mid, in base units; unit: 1; formula: (D_bid(10) - D_ask(10)) / (D_bid(10) + D_ask(10)); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of either side; nothing in the band; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `bid_depth_25bps_base` 'bid depth within 25 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `bid_depth_25bps_usd` 'bid depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_25bps_base` 'ask depth within 25 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_25bps_usd` 'ask depth within 25 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `imbalance_25bps` 'imbalance of the depth within 25 bps of mid, in base units; unit: 1; formula: (D_bid(25) - D_ask(25)) / (D_bid(25) + D_ask(25)); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of either side; nothing in the band; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `bid_depth_50bps_base` 'bid depth within 50 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `bid_depth_50bps_usd` 'bid depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_50bps_base` 'ask depth within 50 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_50bps_usd` 'ask depth within 50 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `imbalance_50bps` 'imbalance of the depth within 50 bps of mid, in base units; unit: 1; formula: (D_bid(50) - D_ask(50)) / (D_bid(50) + D_ask(50)); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of either side; nothing in the band; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `bid_depth_100bps_base` 'bid depth within 100 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 100 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `bid_depth_100bps_usd` 'bid depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 100 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_100bps_base` 'ask depth within 100 bps of mid; unit: base; formula: sum of q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 100 bps beyond the exact reach of its side; contract unknown; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `ask_depth_100bps_usd` 'ask depth within 100 bps of mid; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 100; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 100 bps beyond the exact reach of its side; contract unknown; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)',
  COMMENT COLUMN IF EXISTS `imbalance_100bps` 'imbalance of the depth within 100 bps of mid, in base units; unit: 1; formula: (D_bid(100) - D_ask(100)) / (D_bid(100) + D_ask(100)); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 100 bps beyond the exact reach of either side; nothing in the band; at least: -1; at most: 1; moves a row: by more than 0.001; source: Gould & Bonart (2016)',
  COMMENT COLUMN IF EXISTS `bid_depth_levels_5_base` 'bid depth of the best 5 levels; unit: base; formula: sum of q over the best 5 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 5 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `ask_depth_levels_5_base` 'ask depth of the best 5 levels; unit: base; formula: sum of q over the best 5 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 5 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `bid_depth_levels_10_base` 'bid depth of the best 10 levels; unit: base; formula: sum of q over the best 10 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 10 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `ask_depth_levels_10_base` 'ask depth of the best 10 levels; unit: base; formula: sum of q over the best 10 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 10 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `bid_depth_levels_20_base` 'bid depth of the best 20 levels; unit: base; formula: sum of q over the best 20 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `ask_depth_levels_20_base` 'ask depth of the best 20 levels; unit: base; formula: sum of q over the best 20 levels; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels and reach below 100 bps or the best price; contract unknown; at least: 0; source: Gould et al. (2013)',
  COMMENT COLUMN IF EXISTS `bid_slope_base_per_bp` 'bid depth gained per bp of distance from mid, best 20 levels; unit: base/bp; formula: sum x_i C_i / sum x_i^2; x_i: distance of level i from mid, bps, C_i: sum of q up to it; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels and reach below 100 bps or the best price; all levels at the mid; contract unknown; at least: 0; source: definition of our own, not Naes & Skjeltorp (2006)',
  COMMENT COLUMN IF EXISTS `ask_slope_base_per_bp` 'ask depth gained per bp of distance from mid, best 20 levels; unit: base/bp; formula: sum x_i C_i / sum x_i^2; x_i: distance of level i from mid, bps, C_i: sum of q up to it; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 20 exact levels and reach below 100 bps or the best price; all levels at the mid; contract unknown; at least: 0; source: definition of our own, not Naes & Skjeltorp (2006)',
  COMMENT COLUMN IF EXISTS `bid_pressure_usd` 'bid notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= min(100 bps, depth_reach_bps); null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); known exactly to less than 50 bps of mid; contract unknown; not quoted in US dollars; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `ask_pressure_usd` 'ask notional, fading with distance from mid; unit: USD; formula: sum of p q exp(-d / 10 bps), d <= min(100 bps, depth_reach_bps); null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); known exactly to less than 50 bps of mid; contract unknown; not quoted in US dollars; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `depth_pressure` 'which side leans harder on the mid; unit: 1; formula: (W_bid - W_ask) / (W_bid + W_ask); sign: bids heavier: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); known exactly to less than 10 bps of mid; nothing in reach; at least: -1; at most: 1; moves a row: by more than 0.001; source: definition of our own',
  COMMENT COLUMN IF EXISTS `ofi` 'order-flow imbalance at the touch; unit: base; formula: sum e_n; e_n: [b_n >= b_(n-1)] q_n - [b_n <= b_(n-1)] q_(n-1) - [a_n <= a_(n-1)] r_n + [a_n >= a_(n-1)] r_(n-1), a missing level infinitely far with nothing in it; inverse: USD over the mid at the window\'s end; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse: mid null; source: Cont, Kukanov & Stoikov (2014)',
  COMMENT COLUMN IF EXISTS `ofi_per_depth` 'order-flow imbalance at the touch in units of the mean queue of the best five levels; unit: 1; formula: sum e_n / Q, Q: mean size over the messages of known flow, both sides and those of the five levels that any held; sign: net buying: positive; null when: no known flow in the window, or nothing stood after its messages; source: Cont, Cucuringu & Zhang (2023)',
  COMMENT COLUMN IF EXISTS `mlofi_2` 'order-flow imbalance at level 2; unit: base; formula: sum e_n of the level 2 queues, as of ofi; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)',
  COMMENT COLUMN IF EXISTS `mlofi_3` 'order-flow imbalance at level 3; unit: base; formula: sum e_n of the level 3 queues, as of ofi; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)',
  COMMENT COLUMN IF EXISTS `mlofi_4` 'order-flow imbalance at level 4; unit: base; formula: sum e_n of the level 4 queues, as of ofi; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)',
  COMMENT COLUMN IF EXISTS `mlofi_5` 'order-flow imbalance at level 5; unit: base; formula: sum e_n of the level 5 queues, as of ofi; sign: net buying: positive; null when: no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse: mid null; source: Xu, Gould & Howison (2018)',
  ADD COLUMN IF NOT EXISTS `time_weighted_spread_bps` Nullable(Float64) COMMENT 'best ask less best bid relative to mid, each value weighted by how long it was in force in the window; unit: bps; formula: int s dt / int dt, over the time with a live book of both sides; from the message before a gap to the one that shows it there is none; sign: negative: crossed; null when: the book was not live or one-sided during the whole window; at least: -20000; at most: 20000; source: McInish & Wood (1992)' CODEC(Gorilla, ZSTD(1)) AFTER `mlofi_5`,
  ADD COLUMN IF NOT EXISTS `micro_price` Nullable(Float64) COMMENT 'mid to be expected after its next moves, by imbalance and spread; unit: quote; formula: M + G(i, s); null when: no table of the instrument in market.micro_price, or a state it does not know; book not live, one-sided, locked or crossed; at least: 0; source: Stoikov (2018)' CODEC(Gorilla, ZSTD(1)) AFTER `time_weighted_spread_bps`,
  COMMENT COLUMN IF EXISTS `messages` 'depth messages of the window, ignored ones too; at least: 0; moves a row: never by itself',
  COMMENT COLUMN IF EXISTS `gap_ms` 'event time that passed, up to the messages of this window, while the book was not trusted: of a break in its chain, since the message before it; unit: ms; formula: sum of dt without a trusted book; at least: 0; moves a row: never by itself; source: definition of our own',
  ADD COLUMN IF NOT EXISTS `missed_updates` Nullable(Float64) COMMENT 'updates of the book that the venue numbered and that never came, by the ids of those of this window that did: messages on Bybit, changes of the book on Binance spot; unit: updates; formula: sum of (first id of a message - id of the message before - 1); null when: something may be missing and ids do not tell how much: on all other venues wherever the book was not trusted since a message before; where ids are absent or began anew; at least: 0; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)) AFTER `gap_ms`,
  COMMENT COLUMN IF EXISTS `stale_ms` 'age at the window\'s end of the last message that the row rests on; unit: ms; formula: end of the window - t of the last message that tells one; null when: there was no message with an event time yet; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `late_rows` 'messages that came after their shortest window had closed, counted in the first that was open; those of a book change it there, all others are left out; at least: 0',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`best_bid`, `best_bid_qty_base`, `best_ask`, `best_ask_qty_base`, `mid`, `spread_bps`, `weighted_mid`, `imbalance_1`, `imbalance_5`, `imbalance_20`, `imbalance_weighted`, `depth_reach_bps`, `bid_depth_5bps_base`, `bid_depth_5bps_usd`, `ask_depth_5bps_base`, `ask_depth_5bps_usd`, `imbalance_5bps`, `bid_depth_10bps_base`, `bid_depth_10bps_usd`, `ask_depth_10bps_base`, `ask_depth_10bps_usd`, `imbalance_10bps`, `bid_depth_25bps_base`, `bid_depth_25bps_usd`, `ask_depth_25bps_base`, `ask_depth_25bps_usd`, `imbalance_25bps`, `bid_depth_50bps_base`, `bid_depth_50bps_usd`, `ask_depth_50bps_base`, `ask_depth_50bps_usd`, `imbalance_50bps`, `bid_depth_100bps_base`, `bid_depth_100bps_usd`, `ask_depth_100bps_base`, `ask_depth_100bps_usd`, `imbalance_100bps`, `bid_depth_levels_5_base`, `ask_depth_levels_5_base`, `bid_depth_levels_10_base`, `ask_depth_levels_10_base`, `bid_depth_levels_20_base`, `ask_depth_levels_20_base`, `bid_slope_base_per_bp`, `ask_slope_base_per_bp`, `bid_pressure_usd`, `ask_pressure_usd`, `depth_pressure`, `ofi`, `ofi_per_depth`, `mlofi_2`, `mlofi_3`, `mlofi_4`, `mlofi_5`, `time_weighted_spread_bps`, `micro_price`, `gap_ms`, `missed_updates`, `stale_ms`]);

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
  `micro_price`,
  `messages`,
  `book_ok`,
  `gap_ms`,
  `missed_updates`,
  `stale_ms`,
  `late_rows`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `last_update_id`, `best_bid`, `best_bid_qty_base`, `best_ask`, `best_ask_qty_base`, `mid`, `spread_bps`, `weighted_mid`, `crossed`, `imbalance_1`, `imbalance_5`, `imbalance_20`, `imbalance_weighted`, `depth_reach_bps`, `bid_depth_5bps_base`, `bid_depth_5bps_usd`, `ask_depth_5bps_base`, `ask_depth_5bps_usd`, `imbalance_5bps`, `bid_depth_10bps_base`, `bid_depth_10bps_usd`, `ask_depth_10bps_base`, `ask_depth_10bps_usd`, `imbalance_10bps`, `bid_depth_25bps_base`, `bid_depth_25bps_usd`, `ask_depth_25bps_base`, `ask_depth_25bps_usd`, `imbalance_25bps`, `bid_depth_50bps_base`, `bid_depth_50bps_usd`, `ask_depth_50bps_base`, `ask_depth_50bps_usd`, `imbalance_50bps`, `bid_depth_100bps_base`, `bid_depth_100bps_usd`, `ask_depth_100bps_base`, `ask_depth_100bps_usd`, `imbalance_100bps`, `bid_depth_levels_5_base`, `ask_depth_levels_5_base`, `bid_depth_levels_10_base`, `ask_depth_levels_10_base`, `bid_depth_levels_20_base`, `ask_depth_levels_20_base`, `bid_slope_base_per_bp`, `ask_slope_base_per_bp`, `bid_pressure_usd`, `ask_pressure_usd`, `depth_pressure`, `ofi`, `ofi_per_depth`, `mlofi_2`, `mlofi_3`, `mlofi_4`, `mlofi_5`, `time_weighted_spread_bps`, `micro_price`, `messages`, `book_ok`, `gap_ms`, `missed_updates`, `stale_ms`, `late_rows`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_book` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

ALTER TABLE `features_tape`
  COMMENT COLUMN IF EXISTS `open` 'price of the earliest trade by event time; unit: quote; formula: p of the first t; null when: no trade in the window; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `high` 'highest price; unit: quote; formula: max p; null when: no trade in the window; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `low` 'lowest price; unit: quote; formula: min p; null when: no trade in the window; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `close` 'price of the latest trade by event time; unit: quote; formula: p of the last t; null when: no trade in the window; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `vwap` 'volume-weighted average price; unit: quote; formula: sum p q / sum q; null when: no trade in the window; more ticks times lots between the lowest and the highest price than 2**84; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `volume_base` 'traded volume; unit: base; formula: sum q; null when: contract unknown; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `volume_usd` 'traded volume; unit: USD; formula: sum p q; null when: contract unknown; more ticks times lots between the lowest and the highest price than 2**84; not quoted in US dollars; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `buy_volume_base` 'volume of aggressive buys; unit: base; formula: sum q of buys; null when: contract unknown; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `buy_volume_usd` 'volume of aggressive buys; unit: USD; formula: sum p q of buys; null when: contract unknown; more ticks times lots between the lowest and the highest price than 2**84; not quoted in US dollars; at least: 0; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `signed_volume` 'aggressive buys less aggressive sells; unit: base; formula: sum s q; sign: net buying: positive; null when: contract unknown; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `taker_ratio` 'buys\' share of base volume; unit: 1; formula: buy volume / volume; null when: no trade in the window; at least: 0; at most: 1; source: tardis-node computeTradeBars',
  COMMENT COLUMN IF EXISTS `cvd` 'signed volume since 00:00 UTC, at the window\'s end; unit: base; formula: sum s q; sign: net buying: positive; null when: no trade yet, or contract unknown; source: tardis-node computeTradeBars, summed from 00:00 UTC',
  COMMENT COLUMN IF EXISTS `realised_variance` 'sum of squared log returns of the last trade prices of panes, 0 where there is none, not annualised; unit: 1; formula: sum r_p^2; null when: no return known yet: fewer than two panes with a trade; at least: 0; source: Andersen & Bollerslev (1998)',
  ADD COLUMN IF NOT EXISTS `vpin` Nullable(Float64) COMMENT 'imbalance of aggressive volume over the last 50 buckets of a fiftieth of the known volume of the last day with trades before, UTC; a trade is split where one is full, and one goes on over midnight; unit: 1; formula: mean |Vb - Vs| / V; null when: no day is over yet, or fewer than 50 buckets are full; at least: 0; at most: 1; source: Easley, Lopez de Prado & O\'Hara (2012)' CODEC(Gorilla, ZSTD(1)) AFTER `bipower_variation`,
  ADD COLUMN IF NOT EXISTS `kyle_lambda` Nullable(Float64) COMMENT 'how far the mid moves with a unit of signed volume, in the minute of the last trade and the 29 before it; unit: quote/base; formula: Sxy / Sxx; of panes with trades, x: signed volume, y: change of mid from edge to edge; sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in these 30 minutes (none counts whose last trade came 5 s or more after the last message of the book), signed volume that did not vary, or no trade for 30 minutes; contract unknown; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `vpin`,
  ADD COLUMN IF NOT EXISTS `kyle_lambda_low` Nullable(Float64) COMMENT 'lower end of the 95 % interval of lambda; unit: quote/base; formula: lambda - t sqrt(s^2 / Sxx); sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in these 30 minutes (none counts whose last trade came 5 s or more after the last message of the book), signed volume that did not vary, or no trade for 30 minutes; contract unknown; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `kyle_lambda`,
  ADD COLUMN IF NOT EXISTS `kyle_lambda_high` Nullable(Float64) COMMENT 'upper end of the 95 % interval of lambda; unit: quote/base; formula: lambda + t sqrt(s^2 / Sxx); sign: buying moves the mid up: positive; null when: fewer than 30 panes with trades and mids in these 30 minutes (none counts whose last trade came 5 s or more after the last message of the book), signed volume that did not vary, or no trade for 30 minutes; contract unknown; source: Kyle (1985); Hasbrouck (2007)' CODEC(Gorilla, ZSTD(1)) AFTER `kyle_lambda_low`,
  COMMENT COLUMN IF EXISTS `long_liquidated_base` 'size of the longs liquidated; unit: base; formula: sum of qty_base; null when: a size in it is not known (contract unknown or message without a price); at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `short_liquidated_base` 'size of the shorts liquidated; unit: base; formula: sum of qty_base; null when: a size in it is not known (contract unknown or message without a price); at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `long_liquidated_usd` 'size of the longs liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `short_liquidated_usd` 'size of the shorts liquidated; unit: USD; formula: sum of notional_usd; null when: a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `largest_liquidation_usd` 'largest single liquidation; unit: USD; formula: max of notional_usd; null when: no liquidation in the window; a size in it is not known (contract unknown or message without a price); not quoted in US dollars; at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `mark_price` 'the venue\'s mark price; unit: quote; null when: the venue has not sent it yet; at least: 0; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `index_price` 'the venue\'s index price; unit: quote; null when: the venue has not sent it yet; of options and combinations, which it does not price; of all that OKX trades but the swap that is named as the index, which names a pair alone; at least: 0; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `basis_bps` 'mark above index; unit: bps; formula: 1e4 * (mark - index) / index; sign: positive: the contract is dear; null when: mark or index is null, or the index 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `funding_rate` 'predicted rate of the running funding interval; unit: fraction; sign: positive: longs pay; null when: the venue has not sent it yet; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `open_interest_base` 'open interest in base units; unit: base; formula: quantity * contract; inverse: quantity * contract / mark; null when: the venue has not sent it yet, or what it needs: contract, of inverse contracts a mark; at least: 0; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `open_interest_usd` 'open interest at mark, in USD; unit: USD; formula: base * mark; null when: the venue has not sent it yet, or what it needs: contract, of linear contracts a mark; not quoted in US dollars; at least: 0; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `mark_age_ms` 'age of the mark at the window\'s end; unit: ms; formula: end of the window - t of the mark; null when: the venue has not sent it yet; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `stale_ms` 'age at the window\'s end of the last trade, in this window or before it; unit: ms; formula: end of the window - t of the last trade; null when: there was no trade yet; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `late_rows` 'messages that came after their shortest window had closed, counted in the first that was open; those of a book change it there, all others are left out; at least: 0',
  ADD COLUMN IF NOT EXISTS `repeated_rows` Nullable(Int64) COMMENT 'trades that were delivered again, by a reconnect or a second recorder, and left out, counted as late_rows are; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `late_rows`,
  ADD COLUMN IF NOT EXISTS `feed_switches` Nullable(Int64) COMMENT 'how often the trades went over to the other of the venue\'s feeds, as one was silent; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `repeated_rows`,
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`open`, `high`, `low`, `close`, `vwap`, `volume_base`, `volume_usd`, `buy_volume_base`, `buy_volume_usd`, `signed_volume`, `taker_ratio`, `cvd`, `realised_variance`, `bipower_variation`, `vpin`, `kyle_lambda`, `kyle_lambda_low`, `kyle_lambda_high`, `long_liquidated_base`, `short_liquidated_base`, `long_liquidated_usd`, `short_liquidated_usd`, `largest_liquidation_usd`, `mark_price`, `index_price`, `basis_bps`, `funding_rate`, `open_interest_base`, `open_interest_usd`, `mark_age_ms`, `stale_ms`]);

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
  `effective_spread_bps` Nullable(Float64) COMMENT 'what aggressors paid, against the mid before the trade, both ways; unit: bps; formula: sum q 2e4 D (p - m) / m / sum q; m: mid just before the trade, without a message of its very time; sign: dearer than mid: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_1s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 1 s later; unit: bps; formula: sum q 2e4 D (p - m\') / m / sum q; m\': mid 1 s later, with a message of that very time; sign: kept: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_1s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 1 s, twice; unit: bps; formula: sum q 2e4 D (m\' - m) / m / sum q; m\': mid 1 s later, with a message of that very time; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_5s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 5 s later; unit: bps; formula: sum q 2e4 D (p - m\') / m / sum q; m\': mid 5 s later, with a message of that very time; sign: kept: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_5s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 5 s, twice; unit: bps; formula: sum q 2e4 D (m\' - m) / m / sum q; m\': mid 5 s later, with a message of that very time; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `realised_spread_60s_bps` Nullable(Float64) COMMENT 'what makers kept of it, against the mid 60 s later; unit: bps; formula: sum q 2e4 D (p - m\') / m / sum q; m\': mid 60 s later, with a message of that very time; sign: kept: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `price_impact_60s_bps` Nullable(Float64) COMMENT 'how far the mid went with the aggressor within 60 s, twice; unit: bps; formula: sum q 2e4 D (m\' - m) / m / sum q; m\': mid 60 s later, with a message of that very time; sign: with the aggressor: positive; null when: no trade of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `measured_volume_base` Nullable(Float64) COMMENT 'volume of the trades that count: all mids are known; unit: base; formula: sum q; null when: contract unknown; at least: 0; source: Huang & Stoll (1996)' CODEC(Gorilla, ZSTD(1)),
  `measured_trades` Int64 COMMENT 'number of the trades that count: all mids are known; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `measured_buy_volume_base` Nullable(Float64) COMMENT 'volume of the aggressive buys that count; unit: base; formula: sum q of buys; null when: contract unknown; at least: 0; source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `measured_sell_volume_base` Nullable(Float64) COMMENT 'volume of the aggressive sells that count; unit: base; formula: sum q of sells; null when: contract unknown; at least: 0; source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `buy_markout_1s_bps` Nullable(Float64) COMMENT 'what aggressive buys were worth 1 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 1 s later; sign: the aggressor gained: positive; null when: no aggressive buy of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `buy_markout_5s_bps` Nullable(Float64) COMMENT 'what aggressive buys were worth 5 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 5 s later; sign: the aggressor gained: positive; null when: no aggressive buy of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `buy_markout_60s_bps` Nullable(Float64) COMMENT 'what aggressive buys were worth 60 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 60 s later; sign: the aggressor gained: positive; null when: no aggressive buy of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `sell_markout_1s_bps` Nullable(Float64) COMMENT 'what aggressive sells were worth 1 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 1 s later; sign: the aggressor gained: positive; null when: no aggressive sell of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `sell_markout_5s_bps` Nullable(Float64) COMMENT 'what aggressive sells were worth 5 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 5 s later; sign: the aggressor gained: positive; null when: no aggressive sell of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `sell_markout_60s_bps` Nullable(Float64) COMMENT 'what aggressive sells were worth 60 s later, against their price; unit: bps; formula: sum q 1e4 D (m\' - p) / m / sum q; m: mid just before, m\': 60 s later; sign: the aggressor gained: positive; null when: no aggressive sell of the window of which all mids are known (untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended); source: Hasbrouck (2007), ch. 8' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age of the last message of the book when the last mid is asked for, a minute later: as old are the mids of a book whose feed was away; unit: ms; formula: a minute after the end of the window, or after the event - t of the last message by the last end of a shortest window until then; null when: the book has had no message with an event time yet; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`effective_spread_bps`, `realised_spread_1s_bps`, `price_impact_1s_bps`, `realised_spread_5s_bps`, `price_impact_5s_bps`, `realised_spread_60s_bps`, `price_impact_60s_bps`, `measured_volume_base`, `measured_buy_volume_base`, `measured_sell_volume_base`, `buy_markout_1s_bps`, `buy_markout_5s_bps`, `buy_markout_60s_bps`, `sell_markout_1s_bps`, `sell_markout_5s_bps`, `sell_markout_60s_bps`, `stale_ms`])
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
  `measured_buy_volume_base`,
  `measured_sell_volume_base`,
  `buy_markout_1s_bps`,
  `buy_markout_5s_bps`,
  `buy_markout_60s_bps`,
  `sell_markout_1s_bps`,
  `sell_markout_5s_bps`,
  `sell_markout_60s_bps`,
  `stale_ms`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `effective_spread_bps`, `realised_spread_1s_bps`, `price_impact_1s_bps`, `realised_spread_5s_bps`, `price_impact_5s_bps`, `realised_spread_60s_bps`, `price_impact_60s_bps`, `measured_volume_base`, `measured_trades`, `measured_buy_volume_base`, `measured_sell_volume_base`, `buy_markout_1s_bps`, `buy_markout_5s_bps`, `buy_markout_60s_bps`, `sell_markout_1s_bps`, `sell_markout_5s_bps`, `sell_markout_60s_bps`, `stale_ms`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_costs` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `features_liquidity` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `buy_impact_10k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 10k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(10k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 10k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_10k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 10k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(10k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 10k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_impact_50k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 50k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(50k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 50k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_50k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 50k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(50k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 50k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_impact_100k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 100k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(100k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 100k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_100k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 100k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(100k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 100k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_impact_500k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 500k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(500k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 500k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_500k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 500k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(500k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 500k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_impact_1m_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 1m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(1m) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 1m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_1m_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 1m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(1m) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 1m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_impact_5m_bps` Nullable(Float64) COMMENT 'how much worse than the mid a buy of 5m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(5m) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 5m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_slippage_5m_bps` Nullable(Float64) COMMENT 'how much worse than the best price a buy of 5m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(5m) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 5m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `buy_filled_5m` Nullable(Float64) COMMENT 'share of 5m USD that a buy would find within 100 bps of mid; unit: 1; formula: min(1, sum p q / 5e6); null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); less than 100 bps known, unless 5m USD are found in what is; contract unknown; not quoted in US dollars; at least: 0; at most: 1; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_10k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 10k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(10k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 10k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_10k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 10k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(10k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 10k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_50k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 50k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(50k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 50k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_50k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 50k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(50k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 50k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_100k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 100k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(100k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 100k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_100k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 100k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(100k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 100k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_500k_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 500k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(500k) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 500k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_500k_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 500k USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(500k) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 500k USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_1m_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 1m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(1m) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 1m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_1m_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 1m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(1m) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 1m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_impact_5m_bps` Nullable(Float64) COMMENT 'how much worse than the mid a sell of 5m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(5m) / M - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 5m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 100; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_slippage_5m_bps` Nullable(Float64) COMMENT 'how much worse than the best price a sell of 5m USD would be filled on average, right now; unit: bps; formula: 1e4 s (VWAP(5m) / P - 1), s: 1 buys, -1 sells; to 2^-20 bps; sign: worse for the aggressor: positive; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); no 5m USD in the levels known within 100 bps; contract unknown; not quoted in US dollars; at least: 0; at most: 210; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `sell_filled_5m` Nullable(Float64) COMMENT 'share of 5m USD that a sell would find within 100 bps of mid; unit: 1; formula: min(1, sum p q / 5e6); null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); less than 100 bps known, unless 5m USD are found in what is; contract unknown; not quoted in US dollars; at least: 0; at most: 1; source: VWAP to fill (walk the book)' CODEC(Gorilla, ZSTD(1)),
  `bid_cluster_usd` Nullable(Float64) COMMENT 'notional of the bid side\'s largest cluster of large levels; unit: USD; formula: sum p q over neighbours of 2 medians and more, max(3 ticks, min(2 bps, half the mean distance of all such)) apart; median: of every k-th level from the best on, k the first odd number from 1 + floor((n - 1) / 256) on that 5 does not divide, n: levels known within 100 bps; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; contract unknown; not quoted in US dollars; at least: 0; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `bid_cluster_levels` Nullable(Float64) COMMENT 'number of levels of the bid side\'s largest cluster of large levels; unit: count; formula: count of i; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `bid_cluster_distance_bps` Nullable(Float64) COMMENT 'distance from mid of the centre of the bid side\'s largest cluster of large levels; unit: bps; formula: 1e4 |sum p n / sum n - M| / M; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; at most: 10000; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `bid_cluster_width_bps` Nullable(Float64) COMMENT 'distance between the ends of the bid side\'s largest cluster of large levels; unit: bps; formula: 1e4 |p_far - p_near| / M; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; at most: 10000; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `ask_cluster_usd` Nullable(Float64) COMMENT 'notional of the ask side\'s largest cluster of large levels; unit: USD; formula: sum p q over neighbours of 2 medians and more, max(3 ticks, min(2 bps, half the mean distance of all such)) apart; median: of every k-th level from the best on, k the first odd number from 1 + floor((n - 1) / 256) on that 5 does not divide, n: levels known within 100 bps; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; contract unknown; not quoted in US dollars; at least: 0; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `ask_cluster_levels` Nullable(Float64) COMMENT 'number of levels of the ask side\'s largest cluster of large levels; unit: count; formula: count of i; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `ask_cluster_distance_bps` Nullable(Float64) COMMENT 'distance from mid of the centre of the ask side\'s largest cluster of large levels; unit: bps; formula: 1e4 |sum p n / sum n - M| / M; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; at most: 10000; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `ask_cluster_width_bps` Nullable(Float64) COMMENT 'distance between the ends of the ask side\'s largest cluster of large levels; unit: bps; formula: 1e4 |p_far - p_near| / M; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); fewer than 8 levels known within 100 bps; no level of twice the median; at least: 0; at most: 10000; source: Sneath (1957): single linkage' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_half_life_s` Nullable(Float64) COMMENT 'how long bid depth within 10 bps takes to come back half way after a shock, mean over shocks, each counting a fifth; unit: s; formula: first t - t0 with (D* - D(t)) / (D* - D(t0)) <= 0.5, by the ends of panes, linear within the last, 120 s at most; D*: median of the minute before, of the first value of each 10 s, all six since the last shock was over; at t0 D < D* / 2; sign: slower: larger; null when: no shock seen yet since the start (book not live, one-sided or crossed (bid above ask; a locked one has numbers): none is seen); contract unknown; not quoted in US dollars; at least: 0; at most: 120; source: Large (2007)' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_half_life_s` Nullable(Float64) COMMENT 'how long ask depth within 10 bps takes to come back half way after a shock, mean over shocks, each counting a fifth; unit: s; formula: first t - t0 with (D* - D(t)) / (D* - D(t0)) <= 0.5, by the ends of panes, linear within the last, 120 s at most; D*: median of the minute before, of the first value of each 10 s, all six since the last shock was over; at t0 D < D* / 2; sign: slower: larger; null when: no shock seen yet since the start (book not live, one-sided or crossed (bid above ask; a locked one has numbers): none is seen); contract unknown; not quoted in US dollars; at least: 0; at most: 120; source: Large (2007)' CODEC(Gorilla, ZSTD(1)),
  `spread_half_life_s` Nullable(Float64) COMMENT 'how long the spread takes to come back half way after a shock, mean over shocks, each counting a fifth; unit: s; formula: first t - t0 with (D* - D(t)) / (D* - D(t0)) <= 0.5, by the ends of panes, linear within the last, 120 s at most; D*: median of the minute before, of the first value of each 10 s, all six since the last shock was over; at t0 D > 2 D* and D - D* >= a tick; sign: slower: larger; null when: no shock seen yet since the start (book not live, one-sided or crossed (bid above ask; a locked one has numbers): none is seen); at least: 0; at most: 120; source: Large (2007)' CODEC(Gorilla, ZSTD(1)),
  `liquidity_score` Nullable(Float64) COMMENT 'liquidity against the instrument\'s own last day, 0 to 100; unit: 1; formula: 100 (.30 r_spread + .35 r_depth + .25 r_impact + .10 r_half_life) / the sum of the weights, both over the parts that are known; sign: more liquid: larger; null when: fewer than two of its parts known and ranked: about half an hour of minutes; not quoted in US dollars; at least: 0; at most: 100; source: weights over ranks (composite of our own)' CODEC(Gorilla, ZSTD(1)),
  `liquidity_absolute` Nullable(Float64) COMMENT 'liquidity on one scale for all instruments, 0 to 100; unit: 1; formula: 100 sum w a / sum w, a = ln(v / worst) / ln(best / worst) in [0, 1]; worst, best: spread 100, 0.1 bps, lesser depth in 10 bps 1e3, 1e7 USD, worse impact of 100k USD 100, 0.1 bps, longer half-life of the depth of a side 120, 0.5 s; w as of liquidity_score, both sums over the parts that are known; sign: more liquid: larger; null when: fewer than two of its parts known; not quoted in US dollars; at least: 0; at most: 100; source: weights over ranks (composite of our own)' CODEC(Gorilla, ZSTD(1)),
  `spread_rank` Nullable(Float64) COMMENT 'rank of spread_bps among its last 12 to 24 hours, low values good; unit: 1; formula: 1 - (samples below + half of those of its quarter octave, of 112 from 0.005 up) / samples, of each minute before that at the end of its first shortest window with a message, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part or spread_bps is null; fewer than 30 minutes of it known in the last day; not quoted in US dollars; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `depth_rank` Nullable(Float64) COMMENT 'rank of the lesser of bid_depth_10bps_usd and ask_depth_10bps_usd among its last 12 to 24 hours, high values good; unit: 1; formula: (samples below + half of those of its quarter octave, of 112 from 1 up) / samples, of each minute before that at the end of its first shortest window with a message, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part or spread_bps is null; fewer than 30 minutes of it known in the last day; not quoted in US dollars; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `impact_rank` Nullable(Float64) COMMENT 'rank of the worse of buy_impact_100k_bps and sell_impact_100k_bps among its last 12 to 24 hours, low values good; unit: 1; formula: 1 - (samples below + half of those of its quarter octave, of 112 from 0.01 up) / samples, of each minute before that at the end of its first shortest window with a message, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part or spread_bps is null; fewer than 30 minutes of it known in the last day; not quoted in US dollars; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `half_life_rank` Nullable(Float64) COMMENT 'rank of the longer known of bid_depth_half_life_s and ask_depth_half_life_s among its last 12 to 24 hours, low values good; unit: 1; formula: 1 - (samples below + half of those of its quarter octave, of 112 from 0.05 up) / samples, of each minute before that at the end of its first shortest window with a message, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part or spread_bps is null; fewer than 30 minutes of it known in the last day; not quoted in US dollars; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `book_ok` Bool COMMENT 'the book was trusted for the whole window, up to its end' CODEC(ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last message that the row rests on; unit: ms; formula: end of the window - t of the last message that tells one; null when: there was no message with an event time yet; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`buy_impact_10k_bps`, `buy_slippage_10k_bps`, `buy_impact_50k_bps`, `buy_slippage_50k_bps`, `buy_impact_100k_bps`, `buy_slippage_100k_bps`, `buy_impact_500k_bps`, `buy_slippage_500k_bps`, `buy_impact_1m_bps`, `buy_slippage_1m_bps`, `buy_impact_5m_bps`, `buy_slippage_5m_bps`, `buy_filled_5m`, `sell_impact_10k_bps`, `sell_slippage_10k_bps`, `sell_impact_50k_bps`, `sell_slippage_50k_bps`, `sell_impact_100k_bps`, `sell_slippage_100k_bps`, `sell_impact_500k_bps`, `sell_slippage_500k_bps`, `sell_impact_1m_bps`, `sell_slippage_1m_bps`, `sell_impact_5m_bps`, `sell_slippage_5m_bps`, `sell_filled_5m`, `bid_cluster_usd`, `bid_cluster_levels`, `bid_cluster_distance_bps`, `bid_cluster_width_bps`, `ask_cluster_usd`, `ask_cluster_levels`, `ask_cluster_distance_bps`, `ask_cluster_width_bps`, `bid_depth_half_life_s`, `ask_depth_half_life_s`, `spread_half_life_s`, `liquidity_score`, `liquidity_absolute`, `spread_rank`, `depth_rank`, `impact_rank`, `half_life_rank`, `stale_ms`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic features.liquidity';

CREATE VIEW IF NOT EXISTS `features_liquidity_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max(toUnixTimestamp64Milli(`window_start`)) AS newest FROM `features_liquidity` GROUP BY `window_ms`)
) AS _newest
SELECT
  `venue`,
  `symbol`,
  `window_ms`,
  fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `window_start`,
  `buy_impact_10k_bps`,
  `buy_slippage_10k_bps`,
  `buy_impact_50k_bps`,
  `buy_slippage_50k_bps`,
  `buy_impact_100k_bps`,
  `buy_slippage_100k_bps`,
  `buy_impact_500k_bps`,
  `buy_slippage_500k_bps`,
  `buy_impact_1m_bps`,
  `buy_slippage_1m_bps`,
  `buy_impact_5m_bps`,
  `buy_slippage_5m_bps`,
  `buy_filled_5m`,
  `sell_impact_10k_bps`,
  `sell_slippage_10k_bps`,
  `sell_impact_50k_bps`,
  `sell_slippage_50k_bps`,
  `sell_impact_100k_bps`,
  `sell_slippage_100k_bps`,
  `sell_impact_500k_bps`,
  `sell_slippage_500k_bps`,
  `sell_impact_1m_bps`,
  `sell_slippage_1m_bps`,
  `sell_impact_5m_bps`,
  `sell_slippage_5m_bps`,
  `sell_filled_5m`,
  `bid_cluster_usd`,
  `bid_cluster_levels`,
  `bid_cluster_distance_bps`,
  `bid_cluster_width_bps`,
  `ask_cluster_usd`,
  `ask_cluster_levels`,
  `ask_cluster_distance_bps`,
  `ask_cluster_width_bps`,
  `bid_depth_half_life_s`,
  `ask_depth_half_life_s`,
  `spread_half_life_s`,
  `liquidity_score`,
  `liquidity_absolute`,
  `spread_rank`,
  `depth_rank`,
  `impact_rank`,
  `half_life_rank`,
  `book_ok`,
  `stale_ms`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `buy_impact_10k_bps`, `buy_slippage_10k_bps`, `buy_impact_50k_bps`, `buy_slippage_50k_bps`, `buy_impact_100k_bps`, `buy_slippage_100k_bps`, `buy_impact_500k_bps`, `buy_slippage_500k_bps`, `buy_impact_1m_bps`, `buy_slippage_1m_bps`, `buy_impact_5m_bps`, `buy_slippage_5m_bps`, `buy_filled_5m`, `sell_impact_10k_bps`, `sell_slippage_10k_bps`, `sell_impact_50k_bps`, `sell_slippage_50k_bps`, `sell_impact_100k_bps`, `sell_slippage_100k_bps`, `sell_impact_500k_bps`, `sell_slippage_500k_bps`, `sell_impact_1m_bps`, `sell_slippage_1m_bps`, `sell_impact_5m_bps`, `sell_slippage_5m_bps`, `sell_filled_5m`, `bid_cluster_usd`, `bid_cluster_levels`, `bid_cluster_distance_bps`, `bid_cluster_width_bps`, `ask_cluster_usd`, `ask_cluster_levels`, `ask_cluster_distance_bps`, `ask_cluster_width_bps`, `bid_depth_half_life_s`, `ask_depth_half_life_s`, `spread_half_life_s`, `liquidity_score`, `liquidity_absolute`, `spread_rank`, `depth_rank`, `impact_rank`, `half_life_rank`, `book_ok`, `stale_ms`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_liquidity` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `features_efficiency` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `window_ms` Int64 COMMENT 'length of the window; unit: ms; at least: 100' CODEC(Delta, ZSTD(1)),
  `window_start` DateTime64(3, 'UTC') COMMENT 'start of the window, itself outside: the window is (start, start + window_ms]' CODEC(DoubleDelta, ZSTD(1)),
  `large_trades` Nullable(Float64) COMMENT 'number of trades not below the 0.99 quantile of the sizes of the last 12 to 24 hours before each; unit: count; formula: 0.99 of the trades before it were of a lower quarter octave of q; q: the venue\'s own quantity; null when: fewer than 1,000 trades known of the last 12 to 24 hours; at least: 0; source: trailing quantile' CODEC(Gorilla, ZSTD(1)),
  `large_buy_volume_base` Nullable(Float64) COMMENT 'volume of aggressive buys among trades not below the 0.99 quantile of the sizes of the last 12 to 24 hours before each; unit: base; formula: 0.99 of the trades before it were of a lower quarter octave of q; q: the venue\'s own quantity; null when: fewer than 1,000 trades known of the last 12 to 24 hours; contract unknown; at least: 0; source: trailing quantile' CODEC(Gorilla, ZSTD(1)),
  `large_sell_volume_base` Nullable(Float64) COMMENT 'volume of aggressive sells among trades not below the 0.99 quantile of the sizes of the last 12 to 24 hours before each; unit: base; formula: 0.99 of the trades before it were of a lower quarter octave of q; q: the venue\'s own quantity; null when: fewer than 1,000 trades known of the last 12 to 24 hours; contract unknown; at least: 0; source: trailing quantile' CODEC(Gorilla, ZSTD(1)),
  `sign_autocorrelation` Nullable(Float64) COMMENT 'correlation of a trade\'s side with that of the trade before it, last 200 trades or so; unit: 1; formula: (E[s_i s_{i-1}] - E[s]^2) / (1 - E[s]^2), E: exponential mean over trades, 1/200 for the newest; sign: buys follow buys: positive; null when: fewer than 200 trades yet, or all of one side; at least: -1; at most: 1; source: Hasbrouck & Ho (1987)' CODEC(Gorilla, ZSTD(1)),
  `parkinson_variance` Nullable(Float64) COMMENT 'variance of the window from its price range, not annualised; unit: 1; formula: ln^2(H / L) / (4 ln 2); null when: no trade in the window; at least: 0; source: Parkinson (1980)' CODEC(Gorilla, ZSTD(1)),
  `garman_klass_variance` Nullable(Float64) COMMENT 'variance of the window from its price range, not annualised; unit: 1; formula: ln^2(H / L) / 2 - (2 ln 2 - 1) ln^2(C / O); null when: no trade in the window; at least: 0; source: Garman & Klass (1980)' CODEC(Gorilla, ZSTD(1)),
  `rogers_satchell_variance` Nullable(Float64) COMMENT 'variance of the window from its price range, not annualised; unit: 1; formula: ln(H / C) ln(H / O) + ln(L / C) ln(L / O); null when: no trade in the window; at least: 0; source: Rogers & Satchell (1991)' CODEC(Gorilla, ZSTD(1)),
  `roll_spread_bps` Nullable(Float64) COMMENT 'spread implied by prices that bounce, from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade; unit: bps; formula: 2e4 sqrt(max(-cov(D_t, D_{t-1}), 0)) / C, cov of a sample (n - 1), D: change from close to close, C: the last; null when: fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes; at least: 0; source: Roll (1984)' CODEC(Gorilla, ZSTD(1)),
  `corwin_schultz_spread_bps` Nullable(Float64) COMMENT 'spread implied by highs and lows, from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade; unit: bps; formula: 2e4 (e^a - 1) / (1 + e^a), a = max(0, (sqrt(2 b) - sqrt(b)) / k - sqrt(g / k)), k = 3 - 2 sqrt 2; b: mean of ln^2(H / L) of a bar and the one before, summed, g: ln^2 of the range of the last two; null when: fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes; at least: 0; source: Corwin & Schultz (2012)' CODEC(Gorilla, ZSTD(1)),
  `amihud_per_musd` Nullable(Float64) COMMENT 'illiquidity: absolute return of a million USD traded, from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade; unit: 1/1e6 USD; formula: 1e6 mean |r| / V, r: logarithm of close to close; sign: less liquid: larger; null when: fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes; contract unknown; not quoted in US dollars; at least: 0; source: Amihud (2002)' CODEC(Gorilla, ZSTD(1)),
  `hasbrouck_lambda` Nullable(Float64) COMMENT 'absolute return of a square root of a USD traded, from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade; unit: 1/sqrt(USD); formula: mean |r| / sqrt(V), r: logarithm of close to close, V: USD; sign: less liquid: larger; null when: fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes; contract unknown; not quoted in US dollars; at least: 0; source: Hasbrouck (2009)' CODEC(Gorilla, ZSTD(1)),
  `kyle_lambda_bars` Nullable(Float64) COMMENT 'absolute change of price of a base unit traded, from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade; unit: quote/base; formula: mean |D| / V, D: change from close to close; sign: less liquid: larger; null when: fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes; contract unknown; at least: 0; source: Kyle (1985); Lopez de Prado (2018)' CODEC(Gorilla, ZSTD(1)),
  `vpin_bulk` Nullable(Float64) COMMENT 'VPIN with sides guessed from price changes (bulk volume classification), last 50 buckets; unit: 1; formula: mean |2 Vb / V - 1|, to 2^-20 each, buckets as of vpin; Vb = sum v Phi(D / s), where s is 0 of 0, v / 2, v by the sign of D; of shortest windows with trades, v: volume, D: change of close, s: deviation (n - 1) of the last 20, with D; what was traded before counts in no bucket; null when: no day is over yet, fewer than 50 buckets are full, or 20 changes of price known; at least: 0; at most: 1; source: Easley, Lopez de Prado & O\'Hara (2012)' CODEC(Gorilla, ZSTD(1)),
  `absorbed_buy_volume_base` Nullable(Float64) COMMENT 'aggressive buys of panes whose mids at both ends are known, and in which the mid did not rise; unit: base; formula: sum of buys where M\' <= M; null when: contract unknown; at least: 0; source: order-flow footprint (definition of our own)' CODEC(Gorilla, ZSTD(1)),
  `absorbed_sell_volume_base` Nullable(Float64) COMMENT 'aggressive sells of panes whose mids at both ends are known, and in which the mid did not fall; unit: base; formula: sum of sells where M\' >= M; null when: contract unknown; at least: 0; source: order-flow footprint (definition of our own)' CODEC(Gorilla, ZSTD(1)),
  `absorbed_share` Nullable(Float64) COMMENT 'share of the volume that did not move the mid its way; unit: 1; formula: (absorbed buys + absorbed sells) / volume of the panes whose mids are known; null when: no trade in panes whose mids are known, which they are not where the last trade came 5 s or more after the last message of the book; contract unknown; at least: 0; at most: 1; source: order-flow footprint (definition of our own)' CODEC(Gorilla, ZSTD(1)),
  `trailing_realised_variance` Nullable(Float64) COMMENT 'sum of squared log returns, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: sum r^2, r: of the last trade price at the end of each 5 s against that at its start; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; at least: 0; source: Andersen & Bollerslev (1998)' CODEC(Gorilla, ZSTD(1)),
  `trailing_bipower_variation` Nullable(Float64) COMMENT 'realised variance without its jumps, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: (pi / 2) sum |r_i| |r_{i-1}|; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; at least: 0; source: Barndorff-Nielsen & Shephard (2004)' CODEC(Gorilla, ZSTD(1)),
  `trailing_min_variance` Nullable(Float64) COMMENT 'realised variance from the smaller of two neighbours, robust to jumps, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: pi / (pi - 2) n / (n - 1) sum min(|r_i|, |r_{i-1}|)^2; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; at least: 0; source: Andersen, Dobrev & Schaumburg (2012)' CODEC(Gorilla, ZSTD(1)),
  `trailing_med_variance` Nullable(Float64) COMMENT 'realised variance from the median of three neighbours, robust to jumps and zeros, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: pi / (6 - 4 sqrt 3 + pi) n / (n - 2) sum med(|r_i|, |r_{i-1}|, |r_{i-2}|)^2; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; at least: 0; source: Andersen, Dobrev & Schaumburg (2012)' CODEC(Gorilla, ZSTD(1)),
  `jump_share` Nullable(Float64) COMMENT 'share of realised variance that came in jumps, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: max(RV - BPV, 0) / RV; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; at most: 1; source: Barndorff-Nielsen & Shephard (2004)' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_2` Nullable(Float64) COMMENT 'variance of 2-step returns relative to 2 times that of returns, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: sum (ln p_i - ln p_(i-2) - 2 mean r)^2 / m / var r, m = 2 (n - 1) (1 - 2 / n); sign: above 1: prices run on, below: they come back; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; source: Lo & MacKinlay (1988)' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_4` Nullable(Float64) COMMENT 'variance of 4-step returns relative to 4 times that of returns, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: sum (ln p_i - ln p_(i-4) - 4 mean r)^2 / m / var r, m = 4 (n - 3) (1 - 4 / n); sign: above 1: prices run on, below: they come back; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; source: Lo & MacKinlay (1988)' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_8` Nullable(Float64) COMMENT 'variance of 8-step returns relative to 8 times that of returns, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: sum (ln p_i - ln p_(i-8) - 8 mean r)^2 / m / var r, m = 8 (n - 7) (1 - 8 / n); sign: above 1: prices run on, below: they come back; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; source: Lo & MacKinlay (1988)' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_16` Nullable(Float64) COMMENT 'variance of 16-step returns relative to 16 times that of returns, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: sum (ln p_i - ln p_(i-16) - 16 mean r)^2 / m / var r, m = 16 (n - 15) (1 - 16 / n); sign: above 1: prices run on, below: they come back; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; source: Lo & MacKinlay (1988)' CODEC(Gorilla, ZSTD(1)),
  `variance_ratio_p` Nullable(Float64) COMMENT 'probability of a variance ratio as far from 1 if prices were a random walk, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: 1 - (1 - p_max)^4, p_max: two-sided, of the largest |z*| of q = 2, 4, 8, 16, robust to changing variance; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; at most: 1; source: Chow & Denning (1993)' CODEC(Gorilla, ZSTD(1)),
  `efficiency` Nullable(Float64) COMMENT 'how like a random walk prices are, 0 to 100, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: 100 (1 - min(1, mean |VR(q) - 1| / 0.5)), q = 2, 4, 8, 16; sign: more efficient: larger; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; at least: 0; at most: 100; source: Lo & MacKinlay (1988)' CODEC(Gorilla, ZSTD(1)),
  `hurst` Nullable(Float64) COMMENT 'exponent with which the distance that prices cover grows with time, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: slope / 2 of ln mean (ln p_{i+m} - ln p_i)^2 on ln m, m = 1, 2, 4, ..., 64; sign: above 0.5: prices run on, below: they come back; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed; source: Taqqu, Teverovsky & Willinger (1995)' CODEC(Gorilla, ZSTD(1)),
  `hurst_error` Nullable(Float64) COMMENT 'standard error of the Hurst exponent, last 512 returns of 5 s, up to the last 5 s that ended before a trade; unit: 1; formula: deviation (n - 1) of H of four quarters (m to 16) / 2; null when: fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s; no price changed in one of the quarters; at least: 0; source: batch means: Law & Kelton (2000)' CODEC(Gorilla, ZSTD(1)),
  `ewma_variance` Nullable(Float64) COMMENT 'variance of one-minute log returns, the newer weighing more, up to the minute before that of the last trade, not annualised; unit: 1; formula: v <- v + max(0.06, 1 / n) (r^2 - v), n: returns so far; r: 0 of a minute without a trade; null when: fewer than 17 returns of a minute known, or no trade for 30 minutes; at least: 0; source: RiskMetrics (1996)' CODEC(Gorilla, ZSTD(1)),
  `volatility_rank` Nullable(Float64) COMMENT 'rank of the EWMA volatility among its last 12 to 24 hours; unit: 1; formula: (samples below + half of those of its quarter octave, of 112 from 1e-07 up) / samples, of each minute before that at the end of its first shortest window with trades, since the last but one 00:00 or 12:00 UTC; sign: more volatile: larger; null when: ewma_variance is null; fewer than 30 minutes of it known in the last day; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `regime` LowCardinality(String) COMMENT 'quiet, usual or volatile, and reverting, random or trending; empty: one of the two not known; formula: volatility_rank <= 0.2, >= 0.8; variance_ratio_p < 0.05 and VR(q) < 1, > 1, q: that of the largest |VR(q) - 1| / sqrt(2 (2q - 1) (q - 1) / 3q); source: Lo & MacKinlay (1988); convention of our own' CODEC(ZSTD(3)),
  `information_asymmetry` Nullable(Float64) COMMENT 'how much trades look informed, against the instrument\'s own last day, 0 to 100; unit: 1; formula: 100 mean(r_vpin, r_kyle, r_sign_persistence); sign: more informed: larger; null when: fewer than two of its parts known and ranked: about half an hour of minutes; at least: 0; at most: 100; source: weights over ranks (composite of our own)' CODEC(Gorilla, ZSTD(1)),
  `vpin_rank` Nullable(Float64) COMMENT 'rank of vpin among its last 12 to 24 hours, high values good; unit: 1; formula: (samples below + half of those of its quarter octave, of 112 from 0.001 up) / samples, of each minute before that at the end of its first shortest window with trades, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part is null; fewer than 30 minutes of it known in the last day; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `kyle_rank` Nullable(Float64) COMMENT 'rank of kyle_lambda in bps of the mid per 1e6 units of quote among its last 12 to 24 hours, high values good; unit: 1; formula: (samples below + half of those of its quarter octave, of 112 from 0.005 up) / samples, of each minute before that at the end of its first shortest window with trades, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part is null; fewer than 30 minutes of it known in the last day; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `sign_persistence_rank` Nullable(Float64) COMMENT 'rank of |sign_autocorrelation| among its last 12 to 24 hours, high values good; unit: 1; formula: (samples below + half of those of its quarter octave, of 112 from 0.0001 up) / samples, of each minute before that at the end of its first shortest window with trades, since the last but one 00:00 or 12:00 UTC; sign: better: larger; null when: the part is null; fewer than 30 minutes of it known in the last day; at least: 0; at most: 1; source: percentile rank' CODEC(Gorilla, ZSTD(1)),
  `bid_hidden_volume_base` Nullable(Float64) COMMENT 'traded at the best bid beyond what was displayed there, at the least; unit: base; formula: sum max(V - (q0 - q1), 0) over the windows judged; V: traded, q0, q1: displayed at their ends; null when: no shortest window was judged yet: its best price the same at both ends, all that was traded against the side traded at it and nothing at all beyond it, and a message of the book as late as the last trade; contract unknown; at least: 0; source: after Christensen & Woodmansey (2013)' CODEC(Gorilla, ZSTD(1)),
  `bid_iceberg_suspicion` Nullable(Float64) COMMENT 'how much the refills at the best bid look like one order\'s, which level data cannot prove; unit: 1; formula: min(1, refills / 3) min(1, 0.25 / CV); refills: windows judged that add to the hidden volume, at the best price of the last shortest window with trades, each within 60 s of the one before; CV: deviation (n) over mean of their q1; 0 from 60 s after the last on; sign: more suspicious: larger; null when: no shortest window was judged yet: its best price the same at both ends, all that was traded against the side traded at it and nothing at all beyond it, and a message of the book as late as the last trade; contract unknown; at least: 0; at most: 1; source: after Christensen & Woodmansey (2013)' CODEC(Gorilla, ZSTD(1)),
  `ask_hidden_volume_base` Nullable(Float64) COMMENT 'traded at the best ask beyond what was displayed there, at the least; unit: base; formula: sum max(V - (q0 - q1), 0) over the windows judged; V: traded, q0, q1: displayed at their ends; null when: no shortest window was judged yet: its best price the same at both ends, all that was traded against the side traded at it and nothing at all beyond it, and a message of the book as late as the last trade; contract unknown; at least: 0; source: after Christensen & Woodmansey (2013)' CODEC(Gorilla, ZSTD(1)),
  `ask_iceberg_suspicion` Nullable(Float64) COMMENT 'how much the refills at the best ask look like one order\'s, which level data cannot prove; unit: 1; formula: min(1, refills / 3) min(1, 0.25 / CV); refills: windows judged that add to the hidden volume, at the best price of the last shortest window with trades, each within 60 s of the one before; CV: deviation (n) over mean of their q1; 0 from 60 s after the last on; sign: more suspicious: larger; null when: no shortest window was judged yet: its best price the same at both ends, all that was traded against the side traded at it and nothing at all beyond it, and a message of the book as late as the last trade; contract unknown; at least: 0; at most: 1; source: after Christensen & Woodmansey (2013)' CODEC(Gorilla, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age at the window\'s end of the last trade, in this window or before it; unit: ms; formula: end of the window - t of the last trade; null when: there was no trade yet; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `window_start` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`large_trades`, `large_buy_volume_base`, `large_sell_volume_base`, `sign_autocorrelation`, `parkinson_variance`, `garman_klass_variance`, `rogers_satchell_variance`, `roll_spread_bps`, `corwin_schultz_spread_bps`, `amihud_per_musd`, `hasbrouck_lambda`, `kyle_lambda_bars`, `vpin_bulk`, `absorbed_buy_volume_base`, `absorbed_sell_volume_base`, `absorbed_share`, `trailing_realised_variance`, `trailing_bipower_variation`, `trailing_min_variance`, `trailing_med_variance`, `jump_share`, `variance_ratio_2`, `variance_ratio_4`, `variance_ratio_8`, `variance_ratio_16`, `variance_ratio_p`, `efficiency`, `hurst`, `hurst_error`, `ewma_variance`, `volatility_rank`, `information_asymmetry`, `vpin_rank`, `kyle_rank`, `sign_persistence_rank`, `bid_hidden_volume_base`, `bid_iceberg_suspicion`, `ask_hidden_volume_base`, `ask_iceberg_suspicion`, `stale_ms`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`window_start`)
ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic features.efficiency';

CREATE VIEW IF NOT EXISTS `features_efficiency_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max(toUnixTimestamp64Milli(`window_start`)) AS newest FROM `features_efficiency` GROUP BY `window_ms`)
) AS _newest
SELECT
  `venue`,
  `symbol`,
  `window_ms`,
  fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `window_start`,
  `large_trades`,
  `large_buy_volume_base`,
  `large_sell_volume_base`,
  `sign_autocorrelation`,
  `parkinson_variance`,
  `garman_klass_variance`,
  `rogers_satchell_variance`,
  `roll_spread_bps`,
  `corwin_schultz_spread_bps`,
  `amihud_per_musd`,
  `hasbrouck_lambda`,
  `kyle_lambda_bars`,
  `vpin_bulk`,
  `absorbed_buy_volume_base`,
  `absorbed_sell_volume_base`,
  `absorbed_share`,
  `trailing_realised_variance`,
  `trailing_bipower_variation`,
  `trailing_min_variance`,
  `trailing_med_variance`,
  `jump_share`,
  `variance_ratio_2`,
  `variance_ratio_4`,
  `variance_ratio_8`,
  `variance_ratio_16`,
  `variance_ratio_p`,
  `efficiency`,
  `hurst`,
  `hurst_error`,
  `ewma_variance`,
  `volatility_rank`,
  `regime`,
  `information_asymmetry`,
  `vpin_rank`,
  `kyle_rank`,
  `sign_persistence_rank`,
  `bid_hidden_volume_base`,
  `bid_iceberg_suspicion`,
  `ask_hidden_volume_base`,
  `ask_iceberg_suspicion`,
  `stale_ms`,
  `closed_by`,
  `inferred`,
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT `venue`, `symbol`, `window_ms`, `large_trades`, `large_buy_volume_base`, `large_sell_volume_base`, `sign_autocorrelation`, `parkinson_variance`, `garman_klass_variance`, `rogers_satchell_variance`, `roll_spread_bps`, `corwin_schultz_spread_bps`, `amihud_per_musd`, `hasbrouck_lambda`, `kyle_lambda_bars`, `vpin_bulk`, `absorbed_buy_volume_base`, `absorbed_sell_volume_base`, `absorbed_share`, `trailing_realised_variance`, `trailing_bipower_variation`, `trailing_min_variance`, `trailing_med_variance`, `jump_share`, `variance_ratio_2`, `variance_ratio_4`, `variance_ratio_8`, `variance_ratio_16`, `variance_ratio_p`, `efficiency`, `hurst`, `hurst_error`, `ewma_variance`, `volatility_rank`, `regime`, `information_asymmetry`, `vpin_rank`, `kyle_rank`, `sign_persistence_rank`, `bid_hidden_volume_base`, `bid_iceberg_suspicion`, `ask_hidden_volume_base`, `ask_iceberg_suspicion`, `stale_ms`, `closed_by`, `inferred`, toUnixTimestamp64Milli(`window_start`) AS _at,
    leadInFrame(_at, 1, toInt64(4611686018427387904)) OVER (
      PARTITION BY `venue`, `symbol`, `window_ms` ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `features_efficiency` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero(least(_next - 1, _at + 120000, greatest(_at, _newest[`window_ms`])) - _at, `window_ms`))) AS _step;

CREATE TABLE IF NOT EXISTS `walls` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the shortest window with a message of the book after which it was seen; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `side` LowCardinality(String) COMMENT 'bid or ask' CODEC(ZSTD(3)),
  `what` LowCardinality(String) COMMENT 'appeared: watched for 2 s, large at each look (event_time); grew: beyond 1.25 of its size when it appeared or last grew; less than half of that size left, and its side\'s best price is worse now: consumed, else pulled; hit: its side\'s best price after it stood behind another; absorbed: behind another once more; of several at once the first of these; outgrown: one of more than 1.25 of that size took its place. Without a row ends what is no longer large before it is 2 s old, gives its place up before, is more than 100 bps from mid or not known exactly, and all when the book is not live, one-sided or crossed, or was not trusted meanwhile; formula: watched, four a side: from the best price on each large level takes a free place, else that of the smallest q (of one that appeared: 1.25 of that size), if its own is larger; large: z >= 3.5 and p q >= Q, of at least 8 levels; Q: the 0.95 quantile of its first book, from then on after each look times exp((0.95 - F) dt / 1 h), F: share below Q of the levels that z goes by; both of both sides' CODEC(ZSTD(3)),
  `price` Float64 COMMENT 'price of the level: with its side what a wall is the same by; unit: quote; formula: p; at least: 0; source: Gould et al. (2013)' CODEC(Gorilla, ZSTD(1)),
  `qty_base` Nullable(Float64) COMMENT 'size that stands there now; unit: base; formula: q; null when: contract unknown; at least: 0; source: Gould et al. (2013)' CODEC(Gorilla, ZSTD(1)),
  `notional_usd` Nullable(Float64) COMMENT 'size that stands there now; unit: USD; formula: p q; null when: contract unknown; not quoted in US dollars; at least: 0; source: Gould et al. (2013)' CODEC(Gorilla, ZSTD(1)),
  `modified_z` Nullable(Float64) COMMENT 'how far its notional stands out of the levels of its side within 100 bps of mid; unit: 1; formula: 0.6745 (n - med) / MAD, MAD 0: (n - med) / (1.253314 mean |n - med|); med, MAD, mean: of every k-th level from the best on, k the first odd number from 1 + floor((n - 1) / 256) on that 5 does not divide, n: levels known within 100 bps; null when: nothing stands there, no more than is usual, or fewer than 8 levels to tell; at least: 0; source: Iglewicz & Hoaglin (1993)' CODEC(Gorilla, ZSTD(1)),
  `age_ms` Float64 COMMENT 'since the look from which on it is watched; unit: ms; formula: t - t_0; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `distance_bps` Float64 COMMENT 'distance from mid; unit: bps; formula: 1e4 |p - M| / M; at least: 0; source: Gould et al. (2013)' CODEC(Gorilla, ZSTD(1)),
  `spoof_suspicion` Nullable(Float64) COMMENT 'how much its pulling looks like spoofing, which level data cannot prove; unit: 1; formula: min(1, z / 10) (1 + quick + leaning) / 3 from 1 to 50 bps off mid and behind the best price, else 0; z: of its size when it appeared or last grew, among the levels of now; quick: gone within 5 s; leaning: within 50 bps, or as far as both sides are known exactly, its side had more than the other with it, and has not now; sign: more suspicious: larger; null when: not pulled, or too few levels to tell how it stood out; at least: 0; at most: 1; source: after Cartea, Jaimungal & Wang (2020)' CODEC(Gorilla, ZSTD(1)),
  `nth` Int64 COMMENT 'which of the instrument\'s of that millisecond; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`price`, `qty_base`, `notional_usd`, `modified_z`, `age_ms`, `distance_bps`, `spoof_suspicion`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic walls';

ALTER TABLE `liquidations`
  COMMENT COLUMN IF EXISTS `qty_base` 'size liquidated; unit: base; formula: lots * lot * contract; inverse: / price; null when: contract unknown; inverse: message without a price; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `price` 'price as the venue states it, see price_kind; unit: quote; null when: message without a price; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `notional_usd` 'size liquidated; unit: USD; formula: qty_base * price; null when: contract unknown; linear: message without a price; not quoted in US dollars; at least: 0; source: the venue\'s own documentation',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`qty_base`, `price`, `notional_usd`]);

CREATE TABLE IF NOT EXISTS `liquidation_aftermath` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'when the venue\'s engine liquidated; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `order_side` LowCardinality(String) COMMENT 'side of the forced order, buy or sell; sign: sell: a long was liquidated' CODEC(ZSTD(3)),
  `position_side` LowCardinality(String) COMMENT 'the victim\'s position, long or short; sign: long: the forced order sells' CODEC(ZSTD(3)),
  `qty_base` Nullable(Float64) COMMENT 'size liquidated; unit: base; formula: lots * lot * contract; inverse: / price; null when: contract unknown; inverse: message without a price; at least: 0; source: the venue\'s own documentation' CODEC(Gorilla, ZSTD(1)),
  `notional_usd` Nullable(Float64) COMMENT 'size liquidated; unit: USD; formula: qty_base * price; null when: contract unknown; linear: message without a price; not quoted in US dollars; at least: 0; source: the venue\'s own documentation' CODEC(Gorilla, ZSTD(1)),
  `mid_before` Nullable(Float64) COMMENT 'mid in force just before it; unit: quote; formula: m = (bid + ask) / 2, without a message of its very time; null when: untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended; at least: 0; source: Bouchaud, Gefen, Potters & Wyart (2004)' CODEC(Gorilla, ZSTD(1)),
  `move_1s_bps` Nullable(Float64) COMMENT 'how far the mid had gone 1 s later; unit: bps; formula: 1e4 D (m\' - m) / m; m\': mid 1 s later, with a message of that very time; sign: with the forced order: positive; null when: a mid is not known: untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended; source: Bouchaud, Gefen, Potters & Wyart (2004)' CODEC(Gorilla, ZSTD(1)),
  `move_5s_bps` Nullable(Float64) COMMENT 'how far the mid had gone 5 s later; unit: bps; formula: 1e4 D (m\' - m) / m; m\': mid 5 s later, with a message of that very time; sign: with the forced order: positive; null when: a mid is not known: untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended; source: Bouchaud, Gefen, Potters & Wyart (2004)' CODEC(Gorilla, ZSTD(1)),
  `move_60s_bps` Nullable(Float64) COMMENT 'how far the mid had gone 60 s later; unit: bps; formula: 1e4 D (m\' - m) / m; m\': mid 60 s later, with a message of that very time; sign: with the forced order: positive; null when: a mid is not known: untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after; or its log had ended; source: Bouchaud, Gefen, Potters & Wyart (2004)' CODEC(Gorilla, ZSTD(1)),
  `depth_10bps_usd` Nullable(Float64) COMMENT 'depth within 10 bps of mid on the side that the forced order takes from, at the last end of a shortest window before it; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 10; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 10 bps beyond the exact reach of its side; contract unknown; mid_before is null; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `depth_25bps_usd` Nullable(Float64) COMMENT 'depth within 25 bps of mid on the side that the forced order takes from, at the last end of a shortest window before it; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 25; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 25 bps beyond the exact reach of its side; contract unknown; mid_before is null; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `depth_50bps_usd` Nullable(Float64) COMMENT 'depth within 50 bps of mid on the side that the forced order takes from, at the last end of a shortest window before it; unit: USD; formula: sum of p q over 1e4 |p - M| / M <= 50; null when: book not live, one-sided or crossed (bid above ask; a locked one has numbers); 50 bps beyond the exact reach of its side; contract unknown; mid_before is null; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `share_of_10bps` Nullable(Float64) COMMENT 'its size as a share of the depth within 10 bps; unit: 1; formula: notional_usd / depth_10bps_usd; sign: above 1: more than stood there; null when: the depth or the size is not known, or nothing stood there; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `share_of_25bps` Nullable(Float64) COMMENT 'its size as a share of the depth within 25 bps; unit: 1; formula: notional_usd / depth_25bps_usd; sign: above 1: more than stood there; null when: the depth or the size is not known, or nothing stood there; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `share_of_50bps` Nullable(Float64) COMMENT 'its size as a share of the depth within 50 bps; unit: 1; formula: notional_usd / depth_50bps_usd; sign: above 1: more than stood there; null when: the depth or the size is not known, or nothing stood there; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `throttled` Bool COMMENT 'the venue sends at most one a second: others may have moved the mid as well' CODEC(ZSTD(1)),
  `nth` Int64 COMMENT 'which of the instrument\'s liquidations of that millisecond, in log order; at least: 0' CODEC(Delta, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age of the last message of the book when the last mid is asked for, a minute later: as old are the mids of a book whose feed was away; unit: ms; formula: a minute after the end of the window, or after the event - t of the last message by the last end of a shortest window until then; null when: the book has had no message with an event time yet; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`qty_base`, `notional_usd`, `mid_before`, `move_1s_bps`, `move_5s_bps`, `move_60s_bps`, `depth_10bps_usd`, `depth_25bps_usd`, `depth_50bps_usd`, `share_of_10bps`, `share_of_25bps`, `share_of_50bps`, `stale_ms`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 730 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic liquidation.aftermath';

CREATE TABLE IF NOT EXISTS `consolidated_bbo` (
  `asset` LowCardinality(String) COMMENT 'the base asset' CODEC(ZSTD(3)),
  `quote` LowCardinality(String) COMMENT 'the currency of all its prices: books in another one are another row, USDT is not USD' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the pane at which it holds; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `best_bid` Nullable(Float64) COMMENT 'highest bid price over the books that count; unit: quote; formula: max P over books; null when: no book that counts has one; at least: 0; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `best_bid_qty_base` Nullable(Float64) COMMENT 'size there, of the book that holds it: of equal prices the one of the larger size; unit: base; formula: Q at that P; null when: no book that counts has one, or contract unknown; at least: 0; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `best_bid_venue` LowCardinality(String) COMMENT 'venue of the book that holds it; empty: none' CODEC(ZSTD(3)),
  `best_bid_symbol` LowCardinality(String) COMMENT 'the venue\'s name of that book\'s instrument; empty: none' CODEC(ZSTD(3)),
  `best_ask` Nullable(Float64) COMMENT 'lowest ask price over the books that count; unit: quote; formula: min P over books; null when: no book that counts has one; at least: 0; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `best_ask_qty_base` Nullable(Float64) COMMENT 'size there, of the book that holds it: of equal prices the one of the larger size; unit: base; formula: Q at that P; null when: no book that counts has one, or contract unknown; at least: 0; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `best_ask_venue` LowCardinality(String) COMMENT 'venue of the book that holds it; empty: none' CODEC(ZSTD(3)),
  `best_ask_symbol` LowCardinality(String) COMMENT 'the venue\'s name of that book\'s instrument; empty: none' CODEC(ZSTD(3)),
  `mid` Nullable(Float64) COMMENT 'midpoint of both; unit: quote; formula: (Pb + Pa) / 2; null when: no best bid or no best ask; at least: 0; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `spread_bps` Nullable(Float64) COMMENT 'best ask less best bid, relative to their midpoint, also across venues; unit: bps; formula: 1e4 (Pa - Pb) / M; sign: negative: one venue\'s bid is above another\'s ask; null when: no best bid or no best ask; at least: -20000; at most: 20000; source: Regulation NMS: 17 CFR 242.600(b)' CODEC(Gorilla, ZSTD(1)),
  `crossed` Bool COMMENT 'one venue\'s bid is above another\'s ask; formula: Pb > Pa' CODEC(ZSTD(1)),
  `bid_depth_10bps_usd` Nullable(Float64) COMMENT 'bid depth within 10 bps of the mid of each book, over the books that count; unit: USD; formula: sum over books of D_bid(10); null when: no book counts, or one of those that do does not say it; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_10bps_usd` Nullable(Float64) COMMENT 'ask depth within 10 bps of the mid of each book, over the books that count; unit: USD; formula: sum over books of D_ask(10); null when: no book counts, or one of those that do does not say it; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `bid_depth_50bps_usd` Nullable(Float64) COMMENT 'bid depth within 50 bps of the mid of each book, over the books that count; unit: USD; formula: sum over books of D_bid(50); null when: no book counts, or one of those that do does not say it; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `ask_depth_50bps_usd` Nullable(Float64) COMMENT 'ask depth within 50 bps of the mid of each book, over the books that count; unit: USD; formula: sum over books of D_ask(50); null when: no book counts, or one of those that do does not say it; not quoted in US dollars; at least: 0; source: Degryse, de Jong & van Kervel (2015)' CODEC(Gorilla, ZSTD(1)),
  `books` Int64 COMMENT 'books that count; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `books_out` Int64 COMMENT 'books left out: not trusted, locked or crossed in themselves, or silent for 5 s or more; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `stale_ms` Nullable(Float64) COMMENT 'age of the last message of the older of the two books that hold the best prices; unit: ms; formula: end of the pane - t of the last message; null when: no book that counts has one; at least: 0; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`best_bid`, `best_bid_qty_base`, `best_ask`, `best_ask_qty_base`, `mid`, `spread_bps`, `bid_depth_10bps_usd`, `ask_depth_10bps_usd`, `bid_depth_50bps_usd`, `ask_depth_50bps_usd`, `stale_ms`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`asset`, `quote`, `event_time`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic consolidated.bbo';

CREATE TABLE IF NOT EXISTS `footprint` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the minute, itself inside; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `price` Float64 COMMENT 'where the step begins; unit: quote; formula: floor(p / step) step; at least: 0; source: footprint chart (MarketDelta)' CODEC(Gorilla, ZSTD(1)),
  `step` Float64 COMMENT 'how wide it is; where the tick is inferred, by the tick known when the trade came; unit: quote; formula: widest of 1, 2, 5, 10, ... ticks that is at most 1 bp of p, a tick at the least; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `buy_volume_base` Nullable(Float64) COMMENT 'aggressive buys; unit: base; formula: sum q of buys; null when: contract unknown; at least: 0; source: footprint chart (MarketDelta)' CODEC(Gorilla, ZSTD(1)),
  `sell_volume_base` Nullable(Float64) COMMENT 'aggressive sells; unit: base; formula: sum q of sells; null when: contract unknown; at least: 0; source: footprint chart (MarketDelta)' CODEC(Gorilla, ZSTD(1)),
  `trades` Int64 COMMENT 'number of trades; unit: count; at least: 1' CODEC(Delta, ZSTD(1)),
  `nth` Int64 COMMENT 'which of the instrument\'s of that minute, from the lowest price up; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`price`, `step`, `buy_volume_base`, `sell_volume_base`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic footprint';

CREATE TABLE IF NOT EXISTS `lead_lag` (
  `asset` LowCardinality(String) COMMENT 'the base asset' CODEC(ZSTD(3)),
  `quote` LowCardinality(String) COMMENT 'the currency of all its prices: books in another one are another row, USDT is not USD' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the minute; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `venue` LowCardinality(String) COMMENT 'venue of the first book of the pair' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s name of its instrument' CODEC(ZSTD(3)),
  `other_venue` LowCardinality(String) COMMENT 'venue of the second' CODEC(ZSTD(3)),
  `other_symbol` LowCardinality(String) COMMENT 'that venue\'s name of its instrument' CODEC(ZSTD(3)),
  `lead_ms` Nullable(Float64) COMMENT 'how long the second book follows behind the first: of 0, +-100, 200, 500, 1000 and 2000 ms the likeliest, of equals the one nearest to 0; what is shorter than windows.base_ms is blurred; unit: ms; formula: argmax |rho(h)|, rho(h) = C(h) / sqrt(RVx RVy); sign: the first book leads: positive; null when: fewer than 30 moves of either book that count in the minute; at least: -2000; at most: 2000; source: Hoffmann, Rosenbaum & Yoshida (2013)' CODEC(Gorilla, ZSTD(1)),
  `correlation` Nullable(Float64) COMMENT 'of their moves at that lag; of few moves it can be beyond 1; unit: 1; formula: C(h) / sqrt(RVx RVy), C(h): sum of the products of moves whose spans overlap, the second\'s taken h earlier, RV: sum of the squares of those that count; null when: fewer than 30 moves of either book that count in the minute; source: Hayashi & Yoshida (2005)' CODEC(Gorilla, ZSTD(1)),
  `correlation_at_once` Nullable(Float64) COMMENT 'of their moves at no lag; of few moves it can be beyond 1; unit: 1; formula: C(0) / sqrt(RVx RVy); null when: fewer than 30 moves of either book that count in the minute; source: Hayashi & Yoshida (2005)' CODEC(Gorilla, ZSTD(1)),
  `lead_lag_ratio` Nullable(Float64) COMMENT 'how much more the second book\'s moves have of the first\'s of before than the other way about; unit: 1; formula: sum rho(h > 0)^2 / sum rho(h < 0)^2; sign: the first book leads: above 1; null when: fewer than 30 moves of either book that count in the minute; nothing is known of the other way; at least: 0; source: Huth & Abergel (2014)' CODEC(Gorilla, ZSTD(1)),
  `moves` Int64 COMMENT 'moves of the first book in the minute while the other is known: from one end of a shortest window to the next, each from its last message by then to that by now; unit: count; formula: ln M\' / M; known at such an end: trusted, two-sided, not locked or crossed, heard in the last 5 s; none over a gap; at least: 0' CODEC(Delta, ZSTD(1)),
  `other_moves` Int64 COMMENT 'moves of the second, likewise; unit: count; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`lead_ms`, `correlation`, `correlation_at_once`, `lead_lag_ratio`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`asset`, `quote`, `event_time`, `venue`, `symbol`, `other_venue`, `other_symbol`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic lead.lag';

CREATE TABLE IF NOT EXISTS `price_discovery` (
  `asset` LowCardinality(String) COMMENT 'the base asset' CODEC(ZSTD(3)),
  `quote` LowCardinality(String) COMMENT 'the currency of all its prices: books in another one are another row, USDT is not USD' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the five minutes; no row where windows.base_ms does not divide a second; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `venue` LowCardinality(String) COMMENT 'venue of the first book of the pair' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s name of its instrument' CODEC(ZSTD(3)),
  `other_venue` LowCardinality(String) COMMENT 'venue of the second' CODEC(ZSTD(3)),
  `other_symbol` LowCardinality(String) COMMENT 'that venue\'s name of its instrument' CODEC(ZSTD(3)),
  `component_share` Nullable(Float64) COMMENT 'share of the first book in the common price, by which book corrects; unit: 1; formula: gamma_b / (gamma_b - gamma_a); moves a second: da, db = c + gamma (a - b) + 2 lags of both + e; a: ln M; sign: more of the price is made in the first book: larger; null when: fewer than 200 seconds of the five minutes that count, or no move of one that is its own; source: Gonzalo & Granger (1995)' CODEC(Gorilla, ZSTD(1)),
  `information_share` Nullable(Float64) COMMENT 'share of the first book in what moves the common price: the middle of its bounds; unit: 1; formula: ([psi F]_a)^2 / (psi Omega psi\'), psi: component shares, Omega = F F\': covariance of e; sign: more of the price is made in the first book: larger; null when: fewer than 200 seconds of the five minutes that count, or no move of one that is its own; at least: 0; at most: 1; source: Hasbrouck (1995)' CODEC(Gorilla, ZSTD(1)),
  `information_share_low` Nullable(Float64) COMMENT 'the same with the other book first: its lower bound; unit: 1; formula: ([psi F]_a)^2 / (psi Omega psi\'), psi: component shares, Omega = F F\': covariance of e; sign: more of the price is made in the first book: larger; null when: fewer than 200 seconds of the five minutes that count, or no move of one that is its own; at least: 0; at most: 1; source: Hasbrouck (1995)' CODEC(Gorilla, ZSTD(1)),
  `information_share_high` Nullable(Float64) COMMENT 'the same with this book first: its upper bound; unit: 1; formula: ([psi F]_a)^2 / (psi Omega psi\'), psi: component shares, Omega = F F\': covariance of e; sign: more of the price is made in the first book: larger; null when: fewer than 200 seconds of the five minutes that count, or no move of one that is its own; at least: 0; at most: 1; source: Hasbrouck (1995)' CODEC(Gorilla, ZSTD(1)),
  `seconds` Int64 COMMENT 'seconds that count, with the mids of both books known at their ends and at those of the three before, and no gap after the first of these; from 0 again after a shortest window with a gap_ms of 1000 or more; unit: count; formula: known: trusted, two-sided, not locked or crossed, heard in the last 5 s; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`component_share`, `information_share`, `information_share_low`, `information_share_high`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`asset`, `quote`, `event_time`, `venue`, `symbol`, `other_venue`, `other_symbol`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic price.discovery';

CREATE TABLE IF NOT EXISTS `depth_grid` (
  `venue` LowCardinality(String) COMMENT 'where it trades' CODEC(ZSTD(3)),
  `symbol` LowCardinality(String) COMMENT 'the venue\'s own name of the instrument' CODEC(ZSTD(3)),
  `event_time` DateTime64(3, 'UTC') COMMENT 'end of the pane after which it stood so: of each 10 s the first that closed; unit: ns since 1970 UTC; at least: 0' CODEC(DoubleDelta, ZSTD(1)),
  `mid` Float64 COMMENT 'midpoint: bids are below, asks above; unit: quote; formula: (Pb + Pa) / 2; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `price_low` Float64 COMMENT 'where the first cell begins; unit: quote; formula: (floor(mid / step) - 64) step; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `step` Float64 COMMENT 'how wide a cell is; unit: quote; formula: 1, 2, 5, ... ticks, at most 4 bps; at least: 0; source: definition of our own' CODEC(Gorilla, ZSTD(1)),
  `depth` LowCardinality(String) COMMENT 'a character a cell, 128 from price_low up: its code + 35, and one more from 92 on; ~: not known, or not wholly within 100 bps of mid; formula: code 0: nothing; n: notional in [2^((n - 1) / 3), 2^(n / 3)) of the quote; 1: all below, 84: all above' CODEC(ZSTD(3)),
  `nth` Int64 COMMENT 'which of the instrument\'s of that millisecond; at least: 0' CODEC(Delta, ZSTD(1)),
  `closed_by` LowCardinality(String) COMMENT 'what closed the window: event (a later event), end (of a bounded log), idle (quiet)' CODEC(ZSTD(3)),
  `inferred` Bool COMMENT 'tick, lot and contract were inferred from frames, not taken from settings' CODEC(ZSTD(1)),
  `ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC') COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1)),
  INDEX by_time `event_time` TYPE minmax GRANULARITY 1,
  CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`mid`, `price_low`, `step`])
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(`event_time`)
ORDER BY (`venue`, `symbol`, `event_time`, `nth`)
TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'records of the topic depth.grid';

ALTER TABLE `quality`
  COMMENT COLUMN IF EXISTS `depth_dropped` 'depth messages rightly ignored: stale, repeated, or of another view of the book; at least: 0',
  COMMENT COLUMN IF EXISTS `untrusted_ms` 'event time that passed, up to the messages of this window, while the book was not trusted: of a break in its chain, since the message before it; unit: ms; formula: sum of dt without a trusted book; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `stale_ms` 'age at the window\'s end of the last message that the row rests on; unit: ms; formula: end of the window - t of the last message that tells one; null when: there was no message with an event time yet; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `late_rows` 'messages that came after their shortest window had closed, counted in the first that was open; those of a book change it there, all others are left out; at least: 0',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`untrusted_ms`, `stale_ms`]);

ALTER TABLE `forecast_vectors`
  COMMENT COLUMN IF EXISTS `long_liquidated_usd` 'longs liquidated in the minute; unit: USD; formula: sum p q; null when: a size in it is not known; nothing was heard of the instrument in the minute; a spot market; at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `short_liquidated_usd` 'shorts liquidated in the minute; unit: USD; formula: sum p q; null when: a size in it is not known; nothing was heard of the instrument in the minute; a spot market; at least: 0; source: sums of the table liquidations',
  COMMENT COLUMN IF EXISTS `spread_bps` 'feature of the family book; unit: bps; formula: spread_bps; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `spread_log_vs_hour` 'feature of the family book; unit: 1; formula: ln(spread_bps / mean over 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `imbalance_1` 'feature of the family book; unit: 1; formula: imbalance_1; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `imbalance_5` 'feature of the family book; unit: 1; formula: imbalance_5; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `imbalance_10bps` 'feature of the family book; unit: 1; formula: imbalance_10bps; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `imbalance_50bps` 'feature of the family book; unit: 1; formula: imbalance_50bps; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `depth_log_ratio` 'feature of the family book; unit: 1; formula: ln(bid_depth_10bps_usd / ask_depth_10bps_usd); sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `depth_log_vs_hour` 'feature of the family book; unit: 1; formula: ln(depth 10 bps both sides / mean over 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `ofi_per_depth` 'feature of the family book; unit: 1; formula: ofi_per_depth; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `volatility_1m_bps` 'feature of the family variance; unit: bps; formula: 1e4 sqrt(RV 1 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `variance_ratio_1m_5m` 'feature of the family variance; unit: 1; formula: 5 RV 1 m / RV 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `variance_ratio_5m_60m` 'feature of the family variance; unit: 1; formula: 12 RV 5 m / RV 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `return_1m_over_sigma` 'feature of the family momentum; unit: 1; formula: ln(mid / mid 1 m ago) / sqrt(RV 60 m / 60); sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `return_5m_over_sigma` 'feature of the family momentum; unit: 1; formula: ln(mid / mid 5 m ago) / sqrt(RV 60 m / 12); sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `return_15m_over_sigma` 'feature of the family momentum; unit: 1; formula: ln(mid / mid 15 m ago) / sqrt(RV 60 m / 4); sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `taker_imbalance_1m` 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 1 m; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `taker_imbalance_5m` 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 5 m; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `taker_imbalance_15m` 'feature of the family tape; unit: 1; formula: (2 buys - volume) / volume, USD, 15 m; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `volume_vs_hour` 'feature of the family tape; unit: 1; formula: 60 volume 1 m / volume 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidations_1m` 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 1 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidations_1m` 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 1 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidations_5m` 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidations_5m` 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidations_30m` 'feature of the family liquidations; unit: count; formula: count of longs liquidated, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidations_30m` 'feature of the family liquidations; unit: count; formula: count of shorts liquidated, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_share_1m` 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 1 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_share_1m` 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 1 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_share_5m` 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_share_5m` 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_share_30m` 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_share_30m` 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `minutes_since_long_liquidation` 'feature of the family liquidations; unit: minutes; formula: whole minutes, 0 in this one; NaN: none seen; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `minutes_since_short_liquidation` 'feature of the family liquidations; unit: minutes; formula: whole minutes, 0 in this one; NaN: none seen; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `basis_bps` 'feature of the family derivatives; unit: bps; formula: 1e4 (mark - index) / index; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `funding_rate_bps` 'feature of the family derivatives; unit: bps; formula: 1e4 predicted funding of the interval; sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `minutes_to_funding` 'feature of the family derivatives; unit: minutes; formula: (next_funding - t) / 1 m; NaN when past; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `open_interest_change_5m` 'feature of the family derivatives; unit: 1; formula: ln(OI / OI 5 m ago); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own, of open_interest_base',
  COMMENT COLUMN IF EXISTS `open_interest_change_60m` 'feature of the family derivatives; unit: 1; formula: ln(OI / OI 60 m ago); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own, of open_interest_base',
  COMMENT COLUMN IF EXISTS `hour_of_week_sin` 'feature of the family calendar; unit: 1; formula: sin(2 pi t / 1 week); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `hour_of_week_cos` 'feature of the family calendar; unit: 1; formula: cos(2 pi t / 1 week); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `volatility_60m_bps` 'feature of the family variance; unit: bps; formula: 1e4 sqrt(RV 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `return_60m_over_sigma` 'feature of the family momentum; unit: 1; formula: ln(mid / mid 60 m ago) / sqrt(RV 60 m); sign: a model of shorts reads its negative; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_share_60m` 'feature of the family liquidations; unit: 1; formula: longs liquidated, USD / volume, 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_share_60m` 'feature of the family liquidations; unit: 1; formula: shorts liquidated, USD / volume, 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_mass_50bps` 'feature of the family levels; unit: 1; formula: estimated USD of longs, opened in 60 m and liquidated by a move of 50 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own: longs are opened by what is bought in a minute, shorts by what is sold, and are liquidated at the mid then (1 -+ 1 / L) / (1 -+ 0.005), L 10, 20, 25, 50, 100 in equal parts, until a mid has reached it',
  COMMENT COLUMN IF EXISTS `short_mass_50bps` 'feature of the family levels; unit: 1; formula: estimated USD of shorts, opened in 60 m and liquidated by a move of 50 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own: longs are opened by what is bought in a minute, shorts by what is sold, and are liquidated at the mid then (1 -+ 1 / L) / (1 -+ 0.005), L 10, 20, 25, 50, 100 in equal parts, until a mid has reached it',
  COMMENT COLUMN IF EXISTS `long_mass_150bps` 'feature of the family levels; unit: 1; formula: estimated USD of longs, opened in 60 m and liquidated by a move of 150 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own: longs are opened by what is bought in a minute, shorts by what is sold, and are liquidated at the mid then (1 -+ 1 / L) / (1 -+ 0.005), L 10, 20, 25, 50, 100 in equal parts, until a mid has reached it',
  COMMENT COLUMN IF EXISTS `short_mass_150bps` 'feature of the family levels; unit: 1; formula: estimated USD of shorts, opened in 60 m and liquidated by a move of 150 bps / volume 60 m; 10 to 100 times leverage, half closed after 45 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own: longs are opened by what is bought in a minute, shorts by what is sold, and are liquidated at the mid then (1 -+ 1 / L) / (1 -+ 0.005), L 10, 20, 25, 50, 100 in equal parts, until a mid has reached it',
  COMMENT COLUMN IF EXISTS `long_liquidated_over_threshold_5m` 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_over_threshold_5m` 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 5 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_over_threshold_15m` 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 15 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_over_threshold_15m` 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 15 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_over_threshold_30m` 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_over_threshold_30m` 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 30 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_liquidated_over_threshold_60m` 'feature of the family threshold; unit: 1; formula: longs liquidated / what would be a burst, 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_liquidated_over_threshold_60m` 'feature of the family threshold; unit: 1; formula: shorts liquidated / what would be a burst, 60 m; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_threshold_log_vs_volume_5m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 5 m / volume in 5 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_threshold_log_vs_volume_5m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 5 m / volume in 5 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_threshold_log_vs_volume_15m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 15 m / volume in 15 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_threshold_log_vs_volume_15m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 15 m / volume in 15 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_threshold_log_vs_volume_30m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 30 m / volume in 30 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_threshold_log_vs_volume_30m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 30 m / volume in 30 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `long_threshold_log_vs_volume_60m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of longs in 60 m / volume in 60 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `short_threshold_log_vs_volume_60m` 'feature of the family threshold; unit: 1; formula: ln(what would be a burst of shorts in 60 m / volume in 60 m at the rate of 60 m); null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; a size or minute in it is not known, as in long_liquidated_usd; a spot market; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leader_volatility_1m_bps` 'feature of the family leader; unit: bps; formula: volatility_1m_bps of the leader at its last minute before this one, at most 5 m ago; null when: always: BTC is in another shard; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leader_return_1m_over_sigma` 'feature of the family leader; unit: 1; formula: return_1m_over_sigma of the leader at its last minute before this one, at most 5 m ago; sign: a model of shorts reads its negative; null when: always: BTC is in another shard; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leader_return_15m_over_sigma` 'feature of the family leader; unit: 1; formula: return_15m_over_sigma of the leader at its last minute before this one, at most 5 m ago; sign: a model of shorts reads its negative; null when: always: BTC is in another shard; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leader_long_liquidated_share_5m` 'feature of the family leader; unit: 1; formula: long_liquidated_share_5m of the leader at its last minute before this one, at most 5 m ago; null when: always: BTC is in another shard; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leader_short_liquidated_share_5m` 'feature of the family leader; unit: 1; formula: short_liquidated_share_5m of the leader at its last minute before this one, at most 5 m ago; null when: always: BTC is in another shard; source: definition of our own',
  COMMENT COLUMN IF EXISTS `book_age_s` 'feature of the family staleness; unit: s; formula: age of the book at t; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `tape_age_s` 'feature of the family staleness; unit: s; formula: age at t of the last trade, of this minute or before; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `derivatives_age_s` 'feature of the family staleness; unit: s; formula: age of the last mark at t; null when: a row, value or minute that it needs was not seen, or what it is divided by is 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `gap_ms` 'event time that passed, up to the messages of this window, while the book was not trusted: of a break in its chain, since the message before it; unit: ms; formula: sum of dt without a trusted book; null when: no book was seen of the instrument; at least: 0; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `stale_ms` 'age at the minute\'s end of the last depth message or of the last trade, whichever is older; unit: ms; formula: 1000 max(book_age_s, tape_age_s); null when: one of the two is not known; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `late_rows` 'messages that came after their shortest window had closed, counted in the first that was open; those of a book change it there, all others are left out; at least: 0',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`long_liquidated_usd`, `short_liquidated_usd`, `spread_bps`, `spread_log_vs_hour`, `imbalance_1`, `imbalance_5`, `imbalance_10bps`, `imbalance_50bps`, `depth_log_ratio`, `depth_log_vs_hour`, `ofi_per_depth`, `volatility_1m_bps`, `variance_ratio_1m_5m`, `variance_ratio_5m_60m`, `return_1m_over_sigma`, `return_5m_over_sigma`, `return_15m_over_sigma`, `taker_imbalance_1m`, `taker_imbalance_5m`, `taker_imbalance_15m`, `volume_vs_hour`, `long_liquidations_1m`, `short_liquidations_1m`, `long_liquidations_5m`, `short_liquidations_5m`, `long_liquidations_30m`, `short_liquidations_30m`, `long_liquidated_share_1m`, `short_liquidated_share_1m`, `long_liquidated_share_5m`, `short_liquidated_share_5m`, `long_liquidated_share_30m`, `short_liquidated_share_30m`, `minutes_since_long_liquidation`, `minutes_since_short_liquidation`, `basis_bps`, `funding_rate_bps`, `minutes_to_funding`, `open_interest_change_5m`, `open_interest_change_60m`, `hour_of_week_sin`, `hour_of_week_cos`, `volatility_60m_bps`, `return_60m_over_sigma`, `long_liquidated_share_60m`, `short_liquidated_share_60m`, `long_mass_50bps`, `short_mass_50bps`, `long_mass_150bps`, `short_mass_150bps`, `long_liquidated_over_threshold_5m`, `short_liquidated_over_threshold_5m`, `long_liquidated_over_threshold_15m`, `short_liquidated_over_threshold_15m`, `long_liquidated_over_threshold_30m`, `short_liquidated_over_threshold_30m`, `long_liquidated_over_threshold_60m`, `short_liquidated_over_threshold_60m`, `long_threshold_log_vs_volume_5m`, `short_threshold_log_vs_volume_5m`, `long_threshold_log_vs_volume_15m`, `short_threshold_log_vs_volume_15m`, `long_threshold_log_vs_volume_30m`, `short_threshold_log_vs_volume_30m`, `long_threshold_log_vs_volume_60m`, `short_threshold_log_vs_volume_60m`, `leader_volatility_1m_bps`, `leader_return_1m_over_sigma`, `leader_return_15m_over_sigma`, `leader_long_liquidated_share_5m`, `leader_short_liquidated_share_5m`, `book_age_s`, `tape_age_s`, `derivatives_age_s`, `gap_ms`, `stale_ms`]);

ALTER TABLE `forecasts_liquidation`
  COMMENT COLUMN IF EXISTS `p_burst` 'Calibrated probability of a liquidation burst; unit: 1; formula: 1 / (1 + exp(-(a logit(s) + b))), or isotonic in s; within [1e-4, 1 - 1e-4]; s = 1 / (1 + exp(-sum of the trees\' leaves)) of the vector, of shorts as they see it: long and short features have changed places, and those that say so their sign; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1; source: Platt (1999); Vovk, Petej & Fedorova (2015)',
  COMMENT COLUMN IF EXISTS `p_burst_low` 'Lower end of its interval, by the same calibrator; unit: 1; formula: the same of z - 1.645 sd(z), z = a logit(s) + b; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1; source: MacKay (1992); isotonic: Vovk, Petej & Fedorova (2015)',
  COMMENT COLUMN IF EXISTS `p_burst_high` 'Upper end of its interval, by the same calibrator; unit: 1; formula: the same of z + 1.645 sd(z); null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1; source: MacKay (1992); isotonic: Vovk, Petej & Fedorova (2015)',
  COMMENT COLUMN IF EXISTS `base_rate` 'Share of bursts in the span the model was fitted on; unit: 1; formula: bursts / cases; null when: there is no model, or none of this side and horizon; a spot market; at least: 0; at most: 1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `expected_notional_usd` 'Expected liquidations within the horizon; a lower bound where the venue is throttled; unit: USD; formula: threshold_usd (p E[V / Q | burst] + (1 - p) E[V / Q | calm]), V: USD liquidated within the horizon, Q: the threshold then; means of the fitted span, all its instruments; null when: the forecast abstains, see abstain_reason; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `confidence` 'How far the probability is to be trusted; not the probability itself; unit: 1; formula: (1 - (p_burst_high - p_burst_low)) (book + 6 tape + derivatives) / 8, each 1 while book_age_s <= 5, tape_age_s <= 120, derivatives_age_s <= 30 of the vector, else 0: the share of feature families that are fresh; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `risk_level` 'low, medium from p_burst of 2 base rates, high from 5, critical from 10 where expected_notional_usd is half of threshold_usd times the 99 % quantile of V / Q in the fitted span; up at once, down after 3 minutes below .8 of that; empty when the forecast abstains',
  COMMENT COLUMN IF EXISTS `top_factors` 'JSON: the 5 families with the most log-odds in the uncalibrated score, signed, largest first; formula: of a family: sum of value(child) - value(parent) over the splits on its features on the vector\'s way; source: Saabas (2014)',
  COMMENT COLUMN IF EXISTS `model_version` 'Which model version; empty where there is none, and of a spot market',
  COMMENT COLUMN IF EXISTS `abstain_reason` 'Why there is no forecast, empty when there is one; the first of: a spot market; no model; none of this side and horizon; book_ok false; under 50 % of the families fresh, as in confidence; threshold_usd null; over 50 % of the features null',
  COMMENT COLUMN IF EXISTS `threshold_usd` 'What counts as a burst: more than this is liquidated within the horizon; unit: USD; formula: max(forecast.floor_usd, .95-quantile, type 7, of USD, in whole cents, in windows as long as the horizon that begin each minute and lie in the last 7 days; without those of which more than 2 % of the minutes is not known); null when: fewer than 60 such windows have ended; a spot market; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `gap_ms` 'event time that passed, up to the messages of this window, while the book was not trusted: of a break in its chain, since the message before it; unit: ms; formula: sum of dt without a trusted book; null when: no book was seen of the instrument; at least: 0; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `stale_ms` 'age at the minute\'s end of the last depth message or of the last trade, whichever is older; unit: ms; formula: 1000 max(book_age_s, tape_age_s); null when: one of the two is not known; moves a row: never by itself; source: definition of our own',
  COMMENT COLUMN IF EXISTS `late_rows` 'messages that came after their shortest window had closed, counted in the first that was open; those of a book change it there, all others are left out; at least: 0',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`p_burst`, `p_burst_low`, `p_burst_high`, `base_rate`, `expected_notional_usd`, `confidence`, `threshold_usd`, `gap_ms`, `stale_ms`]);

ALTER TABLE `model_versions`
  COMMENT COLUMN IF EXISTS `in_force_from` 'as_of of the first forecasts that are made with it; told after that minute was forecast, it holds from the next on';

ALTER TABLE `forecast_scores`
  COMMENT COLUMN IF EXISTS `baseline` 'what it is compared with, fitted where the model was: climatology: p = b, the share of bursts; persistence: p = (bursts + b) / (n + 1) of the n cases in the tenth of x, x = V / Q of the window that has just ended; volatility: the same, x = volatility_1m_bps; b where x is not known',
  COMMENT COLUMN IF EXISTS `prevalence` 'share of bursts: the precision of a forecast without skill; unit: 1; formula: bursts / cases; at least: 0; at most: 1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `pr_auc` 'average precision; unit: 1; formula: sum over thresholds of (recall_n - recall_n-1) precision_n; null when: only bursts, or only calm, in the test; at least: 0; at most: 1; source: Davis & Goadrich (2006)',
  COMMENT COLUMN IF EXISTS `brier` 'mean squared error of the probability; unit: 1; formula: mean (p - y)^2; at least: 0; at most: 1; source: Brier (1950)',
  COMMENT COLUMN IF EXISTS `calibration_error` 'mean distance of forecast and observed share, 15 bins of as many cases, equal forecasts in one; unit: 1; formula: sum over bins of cases / all |mean p - share of bursts|; at least: 0; at most: 1; source: Naeini, Cooper & Hauskrecht (2015)',
  COMMENT COLUMN IF EXISTS `skill` 'Brier skill against the baseline; unit: 1; formula: 1 - Brier / Brier of the baseline; sign: better: > 0; source: Murphy (1973)',
  COMMENT COLUMN IF EXISTS `skill_low` 'lower end of its 95 % interval: a bootstrap over days; unit: 1; formula: quantile a of 2000 resamples of the n days, a = Phi(-sqrt(n / (n - 1)) t(0.975, n - 1)): 2.5 % for many; null when: fewer than six days; source: Efron (1979); Hesterberg (2015)',
  COMMENT COLUMN IF EXISTS `skill_high` 'upper end of it; unit: 1; formula: quantile 1 - a of 2000 resamples of the n days, a = Phi(-sqrt(n / (n - 1)) t(0.975, n - 1)): 2.5 % for many; null when: fewer than six days; source: Efron (1979); Hesterberg (2015)',
  COMMENT COLUMN IF EXISTS `beaten` 'the whole interval lies above 0; not where there is none',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`prevalence`, `pr_auc`, `brier`, `calibration_error`, `skill`, `skill_low`, `skill_high`]);

ALTER TABLE `risk_accounts`
  COMMENT COLUMN IF EXISTS `record_as_of` 'time of the account\'s record in force; moves a row: never by itself',
  COMMENT COLUMN IF EXISTS `equity_usd` 'Wallet balances, by marks and after haircuts where they are common collateral, and profit of all positions; unit: USD; formula: sum over assets of E d, E: wallet + sum s q (mark - EP); of common collateral min(E bid, E ask) as in pool_equity_usd of risk_positions, isolated margin and profit among it; null when: see equity_reason; source: definition of our own',
  COMMENT COLUMN IF EXISTS `gross_usd` 'Notional of all positions; unit: USD; formula: sum N; null when: an asset without a price in dollars settles a position; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `net_usd` 'Notional of longs less shorts; unit: USD; formula: sum s N; sign: + long; null when: an asset without a price in dollars settles a position; source: definition of our own',
  COMMENT COLUMN IF EXISTS `initial_margin_usd` 'Initial margin of all positions; unit: USD; formula: sum IM; null when: an asset without a price in dollars settles a position, or a leverage is not known; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `maintenance_margin_usd` 'Maintenance margin of all positions; unit: USD; formula: sum MM; null when: an asset without a price in dollars settles a position, or a position has no tiers; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `nearest_liquidation_bps` 'Distance to liquidation of the position that is nearest to it, marks of one underlying moving together; unit: bps of mark; formula: min underlying_move_bps; sign: positive: not reached; null when: of no position is it known; moves a row: by more than 0.1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `positions_without_mark` 'Positions whose market has no mark yet; they count at their entry price; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `positions_without_tiers` 'Positions whose market has no maintenance tiers; behind others they count at their initial margin; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `balances_not_valued` 'Balances, not 0, in assets without a price in dollars; unit: count; at least: 0',
  ADD COLUMN IF NOT EXISTS `positions_over_leverage` Nullable(Int64) COMMENT 'Positions with more leverage than the tier of their notional allows; unit: count; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `balances_not_valued`,
  COMMENT COLUMN IF EXISTS `leverage_total` 'Notional of all positions over equity; unit: 1; formula: sum N / E; null when: equity is not known or not positive; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leverage_net` 'Net notional over equity; unit: 1; formula: |sum s N| / E; null when: equity is not known or not positive; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leverage_average` 'Leverage of the positions, weighted by notional; unit: 1; formula: sum N l / sum N; null when: no positions, or a leverage or price is not known; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `leverage_max` 'Largest leverage of a position; unit: 1; formula: max l; null when: no positions, or of none is the leverage known; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `margin_utilisation` 'Initial margin over equity in the cross pool where it is largest; without one, of the account; unit: 1; formula: max sum IM / E_p; 0 without positions; null when: a pool\'s equity is not known or not positive in all pools with positions, or all that is held was left out, or of none is every leverage known; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `maintenance_ratio` 'Maintenance margin over equity in the pool where it is largest; liquidation at 1; unit: 1; formula: max sum MM / E_p, as in pool_maintenance_ratio; 0 without positions; null when: a pool\'s equity is not known or not positive in all pools with positions, or all that is held was left out, or in none a position has tiers; at least: 0; source: Binance: Margin Ratio',
  COMMENT COLUMN IF EXISTS `insolvent` 'Whether equity of the account, or of a pool with positions, is zero or less; not of an empty account',
  COMMENT COLUMN IF EXISTS `var_99_1h` 'Loss over one hour that is exceeded in 1 % of hours: the tail of past hours at the volatility of now; unit: share of equity; formula: -quantile_.01(r_t / s_t) s_T, type 7; r_t = sum over positions, and collateral that is no dollar (wallet and profit), of its dollars, as they count in equity, / E (P_t / P_t-1 - 1), of the last 1,000 whole hours, until the last mark, those at both ends of which all marks are known; P: the last mark of an hour\'s last five minutes, or risk.candles; s^2: mean r^2 of the first 100, of which no z is taken, then .97 s^2 + .03 r^2 after each; sign: + loss; null when: see tail_reason; moves a row: by more than 1e-06; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `es_99_1h` 'Mean loss over one hour in the worst 1 % of hours, at the volatility of now; unit: share of equity; formula: -mean(z | z <= quantile_.01(z)) s_T, z = r_t / s_t as in var_99_1h; sign: + loss; null when: see tail_reason; moves a row: by more than 1e-06; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `var_ewma_99_1h` 'Value at risk over one hour with EWMA volatility; unit: share of equity; formula: 2.32635 s, s^2 = sum .97^k r_T-k^2 / sum .97^k over the hours known, k: hours ago; sign: + loss; null when: see tail_reason; at least: 0; moves a row: by more than 1e-06; source: RiskMetrics (1996)',
  COMMENT COLUMN IF EXISTS `var_99_1h_usd` 'var_99_1h in dollars; unit: USD; formula: VaR E; sign: + loss; null when: see tail_reason; moves a row: by more than 0.01; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `es_99_1h_usd` 'es_99_1h in dollars; unit: USD; formula: ES E; sign: + loss; null when: see tail_reason; moves a row: by more than 0.01; source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)',
  COMMENT COLUMN IF EXISTS `tail_returns` 'Past hours, none overlapping, that the tail numbers rest on, without the first 100; 500 are needed; unit: count; at least: 0',
  COMMENT COLUMN IF EXISTS `risk_level` 'unknown, low, elevated, high or critical: maintenance_ratio >= .25, .5, .8 or nearest_liquidation_bps <= 300, 150, 50; insolvent: critical; unknown where neither tells, and below high while a pool or a mark is not known or stale, or part of the record was left out',
  COMMENT COLUMN IF EXISTS `late_rows` 'records of the account that came when their second was over by the clock of their log, since the row before: they are in force from the first second that was open; at least: 0',
  COMMENT COLUMN IF EXISTS `marks_ok` 'each position that the row rests on (of a cross position all of its pool) has a mark, and every mark, of collateral and settlement assets too, is at most 90 s old',
  COMMENT COLUMN IF EXISTS `mark_age_ms` 'age of the oldest mark the row rests on, as marks_ok counts them, as last published; unit: ms; formula: end of the second - time of the mark; null when: no mark; moves a row: never by itself; source: definition of our own',
  ADD COLUMN IF NOT EXISTS `open` Nullable(Bool) COMMENT 'false in the last row of an account that was removed' CODEC(ZSTD(1)) AFTER `closed_by`,
  ADD COLUMN IF NOT EXISTS `record_age_ms` Nullable(Float64) COMMENT 'age of the account\'s record in force; unit: ms; formula: end of the second - record_as_of; moves a row: never by itself; source: definition of our own' CODEC(Gorilla, ZSTD(1)) AFTER `open`,
  ADD COLUMN IF NOT EXISTS `record_ok` Nullable(Bool) COMMENT 'all of the record could be used' CODEC(ZSTD(1)) AFTER `record_age_ms`,
  ADD COLUMN IF NOT EXISTS `parts_left_out` Nullable(Int64) COMMENT 'balances, positions and fields of the record that could not be used; unit: count; at least: 0' CODEC(Delta, ZSTD(1)) AFTER `record_ok`,
  ADD COLUMN IF NOT EXISTS `remarks` Nullable(String) COMMENT 'what of the record could not be used, and why; empty when all was; unit: text' CODEC(ZSTD(3)) AFTER `parts_left_out`,
  ADD COLUMN IF NOT EXISTS `equity_reason` Nullable(String) COMMENT 'why equity is null; empty when it is not; unit: text' CODEC(ZSTD(3)) AFTER `remarks`,
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`equity_usd`, `gross_usd`, `net_usd`, `initial_margin_usd`, `maintenance_margin_usd`, `nearest_liquidation_bps`, `leverage_total`, `leverage_net`, `leverage_average`, `leverage_max`, `margin_utilisation`, `maintenance_ratio`, `var_99_1h`, `es_99_1h`, `var_ewma_99_1h`, `var_99_1h_usd`, `es_99_1h_usd`, `mark_age_ms`, `record_age_ms`]);

ALTER TABLE `risk_positions`
  COMMENT COLUMN IF EXISTS `leverage` 'leverage of the position; 0: the record does not say; unit: 1; at least: 0; source: as the record states it',
  COMMENT COLUMN IF EXISTS `isolated_margin_usd` 'margin put aside for it; unit: USD; null when: cross, or not known; at least: 0; source: as the record states it',
  COMMENT COLUMN IF EXISTS `qty_base` 'Position size; unit: base units; sign: + long, - short; source: as the record states it',
  COMMENT COLUMN IF EXISTS `entry_price` 'Average price of entry; unit: quote per base; at least: 0; source: as the record states it',
  COMMENT COLUMN IF EXISTS `mark_price` 'Mark price in force; unit: quote per base; null when: the market has no mark; at least: 0; source: as the venue states it',
  COMMENT COLUMN IF EXISTS `notional_usd` 'N: size at mark, in dollars by the price of what it settles in; unit: USD; formula: q mark d, q: size without its sign, d: dollars that a unit of the settlement asset counts: 1, or of a coin A the mark of the first of binance-usdm AUSDT, AUSDC, bybit-linear AUSDT, APERP, okx-swap A-USDT-SWAP that has one; null when: the market has no mark, or what it settles in no price in dollars; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `unrealised_pnl_usd` 'Profit since entry; unit: USD; formula: s q (mark - EP) d, s: +1 long, -1 short, EP: entry_price; sign: + profit; null when: the market has no mark, or what it settles in no price in dollars; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `initial_margin_usd` 'IM: notional over leverage; Bybit: of the value at entry (rule of 2024-09), and the fee to close; unit: USD; formula: (V / l + fee q EP (1 - s / l)) o, V: q mark, by Bybit\'s rule of 2024-09 q EP; fee: risk.taker_fee of Bybit, else 0; o: dollars that a unit owed counts, ask in pool_equity_usd where a pool of several assets backs it, else d; null when: the market has no mark, or what it settles in no price in dollars, or its leverage is not known; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `maintenance_margin_usd` 'MM: maintenance margin by the tier of the notional; Bybit: of the value at entry (rule of 2024-09), and the fee to close; unit: USD; formula: (V mmr - cum + fee q EP (1 - s / l)) o, mmr and cum by V; V, fee and o as in initial_margin_usd, never below 0, l not known: 1 / l = 0; OKX: q mark (mmr + risk.taker_fee) o, mmr by the contracts of both legs; null when: the market has no mark, or what it settles in no price in dollars, or no maintenance tiers; at least: 0; source: the venue\'s own documentation',
  COMMENT COLUMN IF EXISTS `liquidation_price` 'Mark price of its market at which maintenance is no longer covered; other marks, and what coins count, as now; unit: quote per base; formula: P nearest to the mark with E_p(P) = MM(P); of one position (W + cum - s q EP) / (q mmr - s q), W: what else is in its pool less what else that needs; null when: see null_reason; at least: 0; source: Binance FAQ b3c689c1; Bybit help centre, Liquidation Price (USDT Contract)',
  COMMENT COLUMN IF EXISTS `distance_to_liquidation_bps` 'How far the mark is from the liquidation price; unit: bps of mark; formula: 1e4 s |mark - LP| / mark, s: +1 while maintenance is covered, else -1; sign: positive: not reached; null when: no liquidation price or no mark; moves a row: by more than 0.1; source: definition of our own',
  COMMENT COLUMN IF EXISTS `depth_to_liquidation_usd` 'Resting orders between mark and liquidation price: bids where it is below, asks where above; unit: USD; formula: D(LP) - D(mark), D: depth from the mid, linear within a band of 5, 10, 25, 50, 100 bps; 0 once it is reached; null when: no liquidation price, it lies beyond the depth that is known, or the book is broken; at least: 0; source: definition of our own',
  COMMENT COLUMN IF EXISTS `marks_ok` 'each position that the row rests on (of a cross position all of its pool) has a mark, and every mark, of collateral and settlement assets too, is at most 90 s old',
  COMMENT COLUMN IF EXISTS `mark_age_ms` 'age of the oldest mark the row rests on, as marks_ok counts them, as last published; unit: ms; formula: end of the second - time of the mark; null when: no mark; moves a row: never by itself; source: definition of our own',
  ADD COLUMN IF NOT EXISTS `position_side` LowCardinality(String) COMMENT 'both (one-way), long or short (hedge mode: a leg of its market)' CODEC(ZSTD(3)) AFTER `closed_by`,
  ADD COLUMN IF NOT EXISTS `settlement_asset` LowCardinality(Nullable(String)) COMMENT 'the asset in which it settles; empty where it is not known' CODEC(ZSTD(3)) AFTER `position_side`,
  ADD COLUMN IF NOT EXISTS `pool` LowCardinality(Nullable(String)) COMMENT 'what backs it: venue/margin mode/margin asset, of several assets multi-assets; of an isolated position its symbol' CODEC(ZSTD(3)) AFTER `settlement_asset`,
  ADD COLUMN IF NOT EXISTS `unrealised_pnl_settled` Nullable(Float64) COMMENT 'Profit since entry in the asset it settles in; unit: settlement asset; formula: s q (mark - EP); sign: + profit; null when: the market has no mark; source: the venue\'s own documentation' CODEC(Gorilla, ZSTD(1)) AFTER `pool`,
  ADD COLUMN IF NOT EXISTS `pool_equity_usd` Nullable(Float64) COMMENT 'Wallet and profit of its pool, of an isolated position its margin and profit; unit: USD; formula: E_p = free + sum s q (mark - EP) of cross positions, free: wallet less isolated margins; several assets: sum min(E bid, E ask), E: each one\'s, bid: mark less risk.haircuts, ask: mark, or the record\'s rates, whichever is lower as bid; null when: an asset without a price in dollars settles a position or lies in a wallet, or it is not known what backs it; source: the venue\'s own documentation' CODEC(Gorilla, ZSTD(1)) AFTER `unrealised_pnl_settled`,
  ADD COLUMN IF NOT EXISTS `pool_maintenance_ratio` Nullable(Float64) COMMENT 'Maintenance margin of its pool over the pool\'s equity; liquidation at 1; unit: 1; formula: sum MM / E_p, of a position without tiers IM for MM; null when: the pool\'s equity is not known or not positive, or none of its positions has tiers; at least: 0; source: Binance: Margin Ratio' CODEC(Gorilla, ZSTD(1)) AFTER `pool_equity_usd`,
  ADD COLUMN IF NOT EXISTS `underlying_move_bps` Nullable(Float64) COMMENT 'How far all marks of its underlying have to move together until its pool is liquidated, in either direction; unit: bps of mark; formula: 1e4 |x - 1|, x nearest to 1 with E_p(x) = MM(x), of a position without tiers IM(x); 1e4 where no move liquidates it, 0 where every one does; sign: positive: not reached; negative: maintenance is not covered now; null when: no mark, no maintenance tiers, or it is not known what backs it; moves a row: by more than 0.1; source: definition of our own' CODEC(Gorilla, ZSTD(1)) AFTER `pool_maintenance_ratio`,
  ADD COLUMN IF NOT EXISTS `tier_max_leverage` Nullable(Float64) COMMENT 'Largest leverage that the tier of its notional allows; unit: 1; null when: no maintenance tiers; at least: 0; source: the venue\'s own documentation' CODEC(Gorilla, ZSTD(1)) AFTER `underlying_move_bps`,
  ADD COLUMN IF NOT EXISTS `remark` Nullable(String) COMMENT 'what is odd about it; empty when nothing is; unit: text' CODEC(ZSTD(3)) AFTER `tier_max_leverage`,
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`leverage`, `isolated_margin_usd`, `qty_base`, `entry_price`, `mark_price`, `notional_usd`, `unrealised_pnl_usd`, `initial_margin_usd`, `maintenance_margin_usd`, `liquidation_price`, `distance_to_liquidation_bps`, `depth_to_liquidation_usd`, `mark_age_ms`, `unrealised_pnl_settled`, `pool_equity_usd`, `pool_maintenance_ratio`, `underlying_move_bps`, `tier_max_leverage`]),
  MODIFY ORDER BY (`account`, `venue`, `symbol`, `as_of`, `position_side`);

ALTER TABLE `alerts`
  COMMENT COLUMN IF EXISTS `subject` 'What it is about: account, or venue/symbol; where one of several names has a / itself, a / before each, and / and % in them as %2F and %25; `*` and a shard: a summary of a storm',
  COMMENT COLUMN IF EXISTS `kind` 'raise, higher (a graver severity), lower or clear',
  COMMENT COLUMN IF EXISTS `value` 'The metric in force at the transition; of one that a storm held back, when it was held back; unit: the metric\'s; null when: the subject is no more; source: as the rule\'s column states it',
  ADD COLUMN IF NOT EXISTS `reason` LowCardinality(Nullable(String)) COMMENT 'Why it was cleared: the value, or what else; empty when it was not' CODEC(ZSTD(3)) AFTER `value`,
  COMMENT COLUMN IF EXISTS `revision` 'grows from record to record of an alert: event time, ms, times 4, plus the kind, or one more than before; unit: count; at least: 0',
  DROP CONSTRAINT IF EXISTS `finite`,
  ADD CONSTRAINT IF NOT EXISTS `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`value`]);
