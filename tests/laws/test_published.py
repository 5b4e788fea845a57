"""The files made from the declarations stand in the repository as they would be made today, and take nothing back."""

import json
import shutil
from pathlib import Path

import pytest

from flows import published
from flows.clickhouse.errors import MigrationError
from flows.clickhouse.migrations import FOLDER, migrations, released, statements
from flows.published import files
from flows.tables import BY_TOPIC, TABLES
from schemas.migration import added_up, steps

FILES = files()
FIRST_RELEASE = json.loads((Path(__file__).parent / "topics_of_the_first_release.json").read_bytes())
"""Topic -> field -> its type in the JSON Schemas of the first release (c548cb0), where each field was required."""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_file_is_what_the_declarations_give(path):
    there = path.read_text() if path.exists() else ""
    assert there == FILES[path], "run: python -m flows.published"


def test_all_migrations_together_give_what_is_declared():
    texts = [path.read_text() for path in migrations(FOLDER).values()]
    store = added_up(statement for text in texts for statement in statements(text))
    assert steps(store, TABLES) == [], "run: python -m flows.published"


def test_the_first_migration_is_the_one_that_installations_have():
    assert released(FOLDER)["0001_tables.sql"] == "5120c19defa57820480c11d26321049e"


def test_a_released_migration_that_was_edited_or_removed_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "clickhouse"
    shutil.copytree(FOLDER, folder)
    path = folder / "0001_tables.sql"
    path.write_text(path.read_text().replace("`mid` Nullable(Float64)", "`mid` Float64"))
    with pytest.raises(MigrationError, match=r"0001_tables.sql is released and was edited: restore it"):
        migrations(folder)
    monkeypatch.setattr(published, "FOLDER", folder)
    assert published.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    path.unlink()
    with pytest.raises(MigrationError, match=r"0001_tables.sql is released and is gone"):
        migrations(folder)


def test_no_schema_is_left_of_a_topic_that_is_gone():
    folder = next(p for p in FILES if p.suffix == ".json").parent
    assert {p.name for p in folder.glob("*.json")} == {f"{t.topic}.json" for t in TABLES} | {"accounts.json"}


@pytest.mark.parametrize("topic", FIRST_RELEASE)
def test_a_topic_only_gains_fields_and_asks_for_no_more_of_its_records(topic):
    first = FIRST_RELEASE[topic]
    schema = json.loads(FILES[published.SCHEMAS / f"{topic}.json"])
    now = {name: said["type"] for name, said in schema["properties"].items()}
    assert {name: now.get(name) for name in first} == first, "a published field stays, with its type and its null"
    assert set(schema["required"]) <= set(first), "records from before do not have it"
    assert schema.get("additionalProperties", True) is True, "readers pass over what they do not know"
    was = [name for name in BY_TOPIC[topic].key if name in first]
    assert [*BY_TOPIC[topic].key][: len(was)] == was, "a key grows at its end only"


def test_a_schema_knows_every_column():
    for table in TABLES:
        schema = json.loads(FILES[published.SCHEMAS / f"{table.topic}.json"])
        assert [*schema["properties"]] == ["id", *(c.name for c in table.columns)]
