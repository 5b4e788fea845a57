"""`alphaplus migrate`: apply the numbered migrations to the configured ClickHouse."""

from flows.clickhouse.client import connect
from flows.clickhouse.migrations import FOLDER, apply_migrations, migrations
from flows.commands.options import Data, File, Sets, settings
from flows.settings.tree import SettingsError


def migrate(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Apply migrations that are not applied yet; a store that is ahead of this release is refused."""
    told = settings(config, set, data)
    if not told.clickhouse.url:
        raise SettingsError("clickhouse.url is not set")
    new, newest = apply_migrations(connect(told.clickhouse), FOLDER), max(migrations(FOLDER).items())[1].name
    was = f"was behind, applied {', '.join(new)}" if new else f"has all migrations up to {newest}"
    print(f"the store {was}")
    return 0
