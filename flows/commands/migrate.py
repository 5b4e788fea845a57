"""`alphaplus migrate`: apply the numbered migrations to the configured ClickHouse."""

from flows.clickhouse.client import connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.commands.options import Data, File, Sets, settings
from flows.settings import SettingsError


def migrate(set: Sets = (), config: File = None, data: Data = None) -> int:
    """Apply migrations that are not applied yet."""
    told = settings(config, set, data)
    if not told.clickhouse.url:
        raise SettingsError("clickhouse.url is not set")
    for name in apply_migrations(connect(told.clickhouse), FOLDER):
        print(name)
    return 0
