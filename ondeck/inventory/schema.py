"""JSON Schema of the files, from the same tables that the loader reads by."""

from __future__ import annotations

from typing import Any

from ondeck.errors import BadInput
from ondeck.inventory.problems import nearest
from ondeck.inventory.secretfields import Schemes
from ondeck.inventory.tables import HOST, NAMED, SINGLE
from ondeck.inventory.values import IDENTIFIER

KINDS = ("inventory",)


def json_schema(kind: str) -> dict[str, Any]:
    """The schema that editors complete and check from.

    It says what a single file may hold; what files say of each other is checked by `ondeck check`.

    Raises:
        BadInput: There is no schema of that kind.
    """
    if kind not in KINDS:
        raise BadInput(
            f"no schema of kind {kind!r}", hint=nearest(kind, KINDS) or f"there are: {', '.join(KINDS)}"
        )
    properties: dict[str, Any] = {}
    for key, field in SINGLE.items():
        properties[key] = {**field.kind.schema(), "description": field.about}
    properties["ondeck"] = {"enum": [1, "1"], "description": SINGLE["ondeck"].about}
    for section, fields in NAMED.items():
        entry = fields.schema()
        if not fields.required:
            entry = {"anyOf": [entry, {"type": "null"}]}
        properties[section] = {
            "type": "object",
            "description": fields.about,
            "propertyNames": {"pattern": _names(section)},
            "additionalProperties": entry,
        }
        if isinstance(fields, Schemes):
            properties[section]["properties"] = fields.schemes_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ondeck inventory",
        "description": "One file of an inventory; every *.yml of the folder is read as one.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _names(section: str) -> str:
    if NAMED[section] is HOST:
        return r"^[A-Za-z0-9\[][A-Za-z0-9._\[\]:-]*$"
    return f"^{IDENTIFIER}$"
