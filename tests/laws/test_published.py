"""The files made from the declarations stand in the repository as they would be made today."""

import json

import pytest

from flows.published import files
from flows.tables import TABLES

FILES = files()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_file_is_what_the_declarations_give(path):
    assert path.read_text() == FILES[path], "run: python -m flows.published"


def test_no_schema_is_left_of_a_topic_that_is_gone():
    folder = next(p for p in FILES if p.suffix == ".json").parent
    assert {p.name for p in folder.glob("*.json")} == {f"{t.topic}.json" for t in TABLES}


def test_a_schema_asks_for_every_column_and_allows_no_other():
    for table in TABLES:
        path = next(p for p in FILES if p.name == f"{table.topic}.json")
        schema = json.loads(FILES[path])
        assert schema["required"] == ["id", *(c.name for c in table.columns)]
        assert schema["additionalProperties"] is False
