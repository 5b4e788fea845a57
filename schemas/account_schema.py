"""Account schema: the JSON Schema of a record of the `accounts` topic, which users write."""

from typing import Any

import msgspec

from schemas.accounts import Account
from schemas.venue_accounts.streams import READERS

OURS = ("left_out", "balances_unread")
"""Fields of an account that readers fill and records do not have."""


def account_schema() -> dict[str, Any]:
    """An account in our own form, one that is closed, or a frame of a venue in its envelope.

    >>> [form["title"] for form in account_schema()["oneOf"]]
    ['Account', 'Closed', 'Frame']
    """
    _, parts = msgspec.json.schema_components([Account], ref_template="#/$defs/{name}")
    account = parts.pop("Account")
    account["properties"] = {n: p for n, p in account["properties"].items() if n not in (*OURS, "closed")}
    name = {"type": "string", "minLength": 1, "maxLength": 128}
    closed = {"account": name, "as_of": {"type": "integer"}, "closed": {"const": True}}
    frame = {
        "account": name,
        "venue": {"enum": list(READERS)},
        "frame": {"type": ["object", "array"], "description": "as the venue sent it"},
        "all": {"type": "boolean", "default": True, "description": "an answer is all there is of its kind"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "accounts.json",
        "title": "accounts",
        "oneOf": [
            account,
            {"title": "Closed", "type": "object", "properties": closed, "required": list(closed)},
            {"title": "Frame", "type": "object", "properties": frame, "required": ["account", "venue", "frame"]},
        ],
        "$defs": parts,
    }
