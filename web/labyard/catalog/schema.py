"""The JSON Schema of a phase's parameters, made from the role's argument spec."""

from __future__ import annotations

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Field, PhaseSpec

_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}


def phase_schema(phase: PhaseSpec, title: str, fixed: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema (2020-12) of what may be sent as `params`; what the plan fixes is a `const`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{title}: {phase.title}",
        "type": "object",
        "properties": {f.name: _property(f, fixed) for f in phase.fields},
        "required": [f.name for f in phase.fields if f.required and f.name not in fixed],
        "additionalProperties": False,
    }


def _property(field: Field, fixed: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[field.type], "title": field.title, "description": field.help}
    if field.default is not None:
        schema["default"] = field.default
    if field.type == "list":
        schema["items"] = _items(field)
    elif field.choices:
        schema["enum"] = list(field.choices)
    if field.type == "dict":
        schema["additionalProperties"] = {"type": ["string", "number", "boolean"]}
        if field.key_pattern:
            schema["propertyNames"] = {"pattern": f"^(?:{field.key_pattern})$"}
    bounds = {
        "minimum": field.minimum,
        "maximum": field.maximum,
        "maxLength": field.max_length if field.type == "str" else None,
        "maxItems": field.max_items if field.type == "list" else None,
        "maxProperties": field.max_items if field.type == "dict" else None,
        "pattern": f"^(?:{field.pattern})$" if field.pattern else None,
        "x-unit": field.unit or None,
        "x-group": field.group or None,
        "x-step": field.step,
    }
    schema |= {key: value for key, value in bounds.items() if value is not None}
    if field.name in fixed:
        schema["const"] = fixed[field.name]
    return schema


def _items(field: Field) -> dict[str, Any]:
    items: dict[str, Any] = {"type": _TYPES[field.elements or "str"]}
    if field.choices:
        items["enum"] = list(field.choices)
    if field.item_pattern:
        items["pattern"] = f"^(?:{field.item_pattern})$"
    if field.max_length:
        items["maxLength"] = field.max_length
    return items
