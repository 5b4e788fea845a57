ALTER TABLE `forecasts_liquidation`
  COMMENT COLUMN IF EXISTS `p_burst_low` 'Lower end of its interval, by the same calibrator; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1',
  COMMENT COLUMN IF EXISTS `p_burst_high` 'Upper end of its interval, by the same calibrator; unit: 1; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1',
  COMMENT COLUMN IF EXISTS `confidence` 'How far the probability is to be trusted; not the probability itself; unit: 1; formula: (1 - (p_burst_high - p_burst_low)) Q D; null when: the forecast abstains, see abstain_reason; at least: 0; at most: 1';

ALTER TABLE `alerts`
  COMMENT COLUMN IF EXISTS `subject` 'What it is about: account, or venue/symbol; `*` and a shard: a summary of a storm',
  COMMENT COLUMN IF EXISTS `kind` 'raise, higher (a graver severity), lower or clear',
  ADD COLUMN IF NOT EXISTS `reason` LowCardinality(Nullable(String)) COMMENT 'Why it was cleared: the value, or what else; empty when it was not' CODEC(ZSTD(3)) AFTER `value`,
  COMMENT COLUMN IF EXISTS `revision` 'grows from record to record of an alert: event time, ms, times 4, plus the kind, or one more than before; unit: count; at least: 0';
