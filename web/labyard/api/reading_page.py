"""The OpenAPI document as a page for people: no script, nothing from another server."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, current_app, render_template
from markupsafe import Markup

from .openapi import operations

blueprint = Blueprint("api_docs", __name__)

_DEEPEST = 3  # levels of an example
_PROBLEMS_ONLY = "4"


@dataclass(frozen=True)
class Value:
    """A parameter or a field: what it is called and what it may be."""

    name: str
    kind: str  # in words: "text or null"
    limits: str
    description: str
    required: bool
    place: str = ""  # of a parameter: path, query or header


@dataclass(frozen=True)
class Reply:
    """One answer of an operation."""

    status: str
    description: str
    kind: str  # the name of its schema, or the kinds of content


@dataclass(frozen=True)
class Operation:
    """One operation, ready to be read."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Value, ...]
    body: tuple[Value, ...]
    example: str  # a call with curl
    replies: tuple[Reply, ...]
    refusals: tuple[Reply, ...]


@blueprint.get("/api/v1/docs")
def show_docs() -> str:
    """Every operation and every schema, by subject."""
    document: dict[str, Any] = current_app._get_spec("json")  # type: ignore[attr-defined]  # the app is an APIFlask
    schemas = document["components"]["schemas"]
    shown = {
        name: (str(schema.get("description", "")), read_fields(schema))
        for name, schema in sorted(schemas.items())
    }
    return render_template(
        "api_docs.html", info=document["info"], groups=read_groups(document), schemas=shown, bare=True
    )


@blueprint.app_template_filter("with_code")
def with_code(text: str) -> Markup:
    """`text` with what stands between backticks as code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else Markup.escape(part)
        for place, part in enumerate(parts)
    )


@blueprint.app_template_filter("with_schemas")
def with_schemas(kind: str, names: Collection[str]) -> Markup:
    """A kind in words with links to the schemas that it names."""
    link = Markup('<a href="#schema-{0}">{0}</a>')
    return Markup(" ").join(
        link.format(word) if word in names else Markup.escape(word) for word in kind.split(" ")
    )


def read_groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations by their tag, in the order of the document's tags; shorter paths first."""
    groups: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    schemas = document["components"]["schemas"]
    for path, method, operation in operations(dict(document)):
        groups[operation["tags"][0]].append(_read(path, method, operation, schemas))
    for group in groups.values():
        group.sort(key=lambda o: (o.path, o.method != "GET"))
    return {name: group for name, group in groups.items() if group}


def read_fields(schema: Mapping[str, Any]) -> tuple[Value, ...]:
    """The fields of an object's schema."""
    required = schema.get("required", ())
    return tuple(
        Value(name, kind_of(about), limits_of(about), str(about.get("description", "")), name in required)
        for name, about in schema.get("properties", {}).items()
    )


def kind_of(schema: Mapping[str, Any]) -> str:
    """What a value of `schema` is, in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(kind_of(part) for part in schema[several])
    kinds = schema.get("type", "anything")
    if isinstance(kinds, list):
        return " or ".join(kind_of({**schema, "type": kind}) for kind in kinds)
    if kinds == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return words.get(str(kinds), str(kinds)) if schema.get("format") != "date-time" else "time"


def limits_of(schema: Mapping[str, Any]) -> str:
    """What else must hold for a value, in words."""
    found = []
    choices = schema.get("enum") or schema.get("items", {}).get("enum")
    if choices:
        found.append(", ".join(str(choice) for choice in choices if choice is not None))
    if "minimum" in schema or "maximum" in schema:
        found.append(f"{schema.get('minimum', '')} to {schema.get('maximum', '')}")
    if "maxLength" in schema:
        found.append(f"{schema.get('minLength', 0)} to {schema['maxLength']} characters")
    if "pattern" in schema:
        found.append(str(schema["pattern"]))
    if "default" in schema:
        found.append(f"{json.dumps(schema['default'])} by default")
    return "; ".join(found)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that shows what fits `schema`: of an object, what is required, else all of it."""
    if "$ref" in schema:
        return example_of(schemas[kind_of(schema)], schemas, depth)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if "default" in schema or "enum" in schema:
        return schema.get("default", schema.get("enum", [None])[0])
    if kind == "object":
        inner = schema.get("properties", {}) if depth < _DEEPEST else {}
        names = schema.get("required") or inner
        return {name: example_of(inner[name], schemas, depth + 1) for name in names if name in inner}
    if kind == "array":
        return [example_of(schema.get("items", {}), schemas, depth + 1)]
    plain: dict[str | None, Any] = {"integer": 1, "number": 1.0, "boolean": True, "string": "..."}
    return plain.get(kind)


def _read(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema")
    body = schemas[kind_of(schema)] if schema else {}
    replies = [_reply(status, about) for status, about in operation["responses"].items()]
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=tuple(_parameter(about) for about in operation["parameters"]),
        body=read_fields(body),
        example=_call(
            path, method, content.get("example") or (example_of(body, schemas) if schema else None)
        ),
        replies=tuple(r for r in replies if r.status < _PROBLEMS_ONLY),
        refusals=tuple(sorted((r for r in replies if r.status >= _PROBLEMS_ONLY), key=lambda r: r.status)),
    )


def _parameter(about: Mapping[str, Any]) -> Value:
    schema = about["schema"]
    return Value(
        about["name"],
        kind_of(schema),
        limits_of(schema),
        about.get("description", ""),
        bool(about.get("required")),
        about["in"],
    )


def _reply(status: str, about: Mapping[str, Any]) -> Reply:
    content = about.get("content", {})
    kinds = [
        kind_of(part["schema"]) if "$ref" in part.get("schema", {}) else kind
        for kind, part in content.items()
    ]
    words = about["description"]
    if words == "Successful response":
        words = HTTPStatus(int(status)).phrase
    return Reply(status, words, " or ".join(kinds))


def _call(path: str, method: str, body: Any) -> str:
    plain = method == "get" or (method == "post" and body is not None)
    lines = ["curl" if plain else f"curl -X {method.upper()}"]
    if path.startswith("/api/"):
        lines.append('-H "Authorization: Bearer $KEY"')
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body)}'"]
    lines.append(f'"$URL{path.replace("{", "<").replace("}", ">")}"')
    return " \\\n  ".join(lines)
