"""All contact with ClickHouse: one client path, tables brought up to date, blocks stored once."""
