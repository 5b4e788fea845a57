"""What the engine itself lets a statement do: tables of its own folder, and nothing outside it.

No right to read or write files, addresses, other servers or programs; no dictionaries, functions, users, backups or
SYSTEM statements. Who reads has nothing but SELECT and SHOW, and no setting of his can lift `readonly`. The role `rows`
may read files: it is taken for the one statement that brings rows in a file in memory, and for nothing else.

The engine's own `default` database is a view of the working folder, in which every name is a file. So that one gets
another name here, and `default` is a database of tables.
"""

import os
import uuid
from pathlib import Path

WRITER_ROLES = "writer"
ROWS_ROLES = "writer, rows"
READER_ROLES = "NONE"
_FIXED = (
    *("dialect", "allow_introspection_functions", "allow_ddl", "allow_distributed_ddl", "allow_fuzz_query_functions"),
    *("format_template_row", "format_template_resultset", "format_template_row_format", "format_schema"),
    *("format_template_resultset_format", "format_schema_source", "format_schema_message_name", "output_format_schema"),
    *("input_format_record_errors_file_path", "input_format_allow_errors_num", "input_format_allow_errors_ratio"),
    *("storage_file_read_method", "local_filesystem_read_method", "merge_tree_disk", "merge_tree_storage_policy"),
    *("dynamic_disk_allow_from_env", "dynamic_disk_allow_include", "dynamic_disk_allow_from_zk", "send_logs_level"),
    *("s3_allow_server_credentials_in_user_queries", "rename_files_after_processing", "max_sessions_for_user"),
)
"""Settings that name files, reach out or change what a statement means: as they are, also within a statement."""
_USERS = """<clickhouse>
  <profiles><default><constraints>{constraints}</constraints></default></profiles>
  <quotas><default/></quotas>
  <roles>
    <writer><grants>
      <query>GRANT INSERT, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP, ALTER, TRUNCATE, OPTIMIZE ON *.*</query>
    </grants></writer>
    <rows><grants><query>GRANT READ ON FILE</query></grants></rows>
  </roles>
  <users><default>
    <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants><query>GRANT SELECT, SHOW ON *.*</query><query>GRANT writer, rows</query></grants>
  </default></users>
</clickhouse>
"""
_CONFIG = """<clickhouse>
  <default_database>working_folder</default_database>
  <users_config>{users}</users_config>
</clickhouse>
"""


def written(folder: Path, most: dict[str, int]) -> Path:
    """Write down the rights for an engine on `folder`, with settings that have a limit; the file that it is given."""
    _keep_default_apart(folder / "metadata")
    limits = "".join(
        f"<{name}><min>1</min><max>{limit}</max></{name}>"  # 0 would be no limit
        for name, limit in most.items()
    )
    fixed = "".join(f"<{name}><const/></{name}>" for name in _FIXED)
    users, config = folder / "users.xml", folder / "config.xml"
    users.write_text(_USERS.format(constraints=fixed + limits))
    config.write_text(_CONFIG.format(users=users.resolve()))
    return config


def _keep_default_apart(metadata: Path) -> None:
    """Declare `default` as a database of tables; of a folder from before, with the tables that are in it.

    The engine takes for its view of the working folder whatever database the link `default` leads to, so the link leads
    to one that nothing else knows.
    """
    metadata.mkdir(parents=True, exist_ok=True)
    link, declared = metadata / "default", metadata / "default.sql"
    leads_to = Path(os.readlink(link)).name if link.is_symlink() else ""
    if not declared.exists():
        draft = declared.with_suffix(".draft")
        draft.write_text(f"ATTACH DATABASE _ UUID '{leads_to or uuid.uuid4()}'\nENGINE = Atomic\n")
        draft.replace(declared)
    if not leads_to or leads_to in declared.read_text():
        other = str(uuid.uuid4())
        link.unlink(missing_ok=True)
        link.symlink_to(f"../store/{other[:3]}/{other}")
