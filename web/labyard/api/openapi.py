"""The OpenAPI document: what the routes say of themselves, completed by what holds for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from apiflask import APIFlask, Schema
from flask import Flask

from .idempotency import HEADER, PATTERN, REPLAYED
from .openapi_links import LINKS
from .schemas import billing, fields
from .schemas.problem import MEDIA_TYPE, Problem

DESCRIPTION = """\
Everything that the console can do. A call needs an API key: `Authorization: Bearer <key>`.

Lists come by pages: `next` of one page is `cursor` of the next, and the `Link` header has its
address. A refusal is a problem document (RFC 9457) with the cause, what to do next, and a message for
each wrong field. A change may carry an `Idempotency-Key`: sent again within a day, it gets the same
answer and changes nothing. `If-Match` ties a change to the version that you have seen.
"""

_METHODS = ("get", "post", "put", "patch", "delete")
_TAGS = {
    "plans": "Plans",
    "configurations": "Plans",
    "deployments": "Deployments",
    "commands": "Commands",
    "user": "You",
    "users": "People and projects",
    "projects": "People and projects",
    "volumes": "Deployments",
    "webhooks": "Webhooks",
    "audit": "Operations",
    "workers": "Operations",
    "orphans": "Operations",
    "hub": "Deployments",
    "usage": "Billing",
    "imported-costs": "Billing",
    "accounts": "Billing",
    "tariffs": "Billing",
    "invoices": "Billing",
    "payments": "Billing",
    "wallets": "Billing",
    "budgets": "Budgets",
    "budget-requests": "Budgets",
}
_IDS = {
    "deployment_id": fields.DEPLOYMENT_ID,
    "command_id": fields.COMMAND_ID,
    "webhook_id": fields.WEBHOOK_ID,
    "notice_id": fields.NOTICE_ID,
    "username": fields.USERNAME,
    "owner": fields.USERNAME,
    "volume_name": fields.VOLUME_NAME,
    "account": billing.ACCOUNT_NAME,
    "invoice": billing.INVOICE_NAME,
    "payment_id": fields.PAYMENT_ID,
    "order_id": fields.ORDER_ID,
    "budget_id": fields.BUDGET_ID,
    "request_id": fields.BUDGET_ID,
}
_NAMES = {"plans": fields.PLAN_NAME, "projects": fields.PROJECT_NAME}  # of `name`, by resource; else a key's
# What may be tied to a version, and what has an ETag.
_VERSIONED = re.compile(
    r"^/api/v1/(plans/\{name\}|deployments/\{deployment_id\}|user|users/\{username\}|accounts/\{account\}"
    r"|budgets/\{budget_id\}|tariffs/\{tariff_id\}|invoices/\{invoice\}(/finalize|/void|/credit)?)$"
)
_WORDS = {
    400: "The request cannot be read",
    401: "The key is missing or not valid",
    403: "Not allowed",
    404: "Not there, or not yours",
    405: "The address has other methods",
    409: "Not possible now",
    412: "Another version is there now",
    413: "The body is too large: 1 MiB is the most",
    415: "The body is not JSON",
    422: "Some fields are not right",
    428: "Say which version you mean",
    503: "A part of the platform does not answer",
}


def describe_interface(app: APIFlask) -> None:
    """Set `app` up to describe its interface at /api/v1/openapi.json."""
    app.description = DESCRIPTION
    app.servers = [{"url": "/"}]  # not the address of whoever asked first
    app.license = {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"}
    app.security_schemes = {"key": {"type": "http", "scheme": "bearer"}}
    app.schema_name_resolver = schema_name
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
    )
    app.spec_processor(lambda document: complete(cast(dict[str, Any], document), app))


def schema_name(schema: Any) -> str:
    """The name of a schema: `Deployment`, and `DeploymentRow` where fields may be left out."""
    made: Schema = schema() if isinstance(schema, type) else schema
    name = type(made).__name__.removesuffix("Out")
    return f"{name}Row" if made.partial else name


def complete(document: dict[str, Any], app: Flask) -> dict[str, Any]:
    """`document` with headers, problems, patterns and links of every operation."""
    document["components"]["schemas"]["Problem"] = _problem_schema()
    names = {
        (_path(rule.rule), method.lower()): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for path, method, operation in operations(document):
        operation["operationId"] = names[path, method].rpartition(".")[2]
        operation["tags"] = [_tag(path)]
        if path.startswith("/api/"):
            _complete(path, method, operation)
    document["tags"] = [{"name": name} for name in (*dict.fromkeys(_TAGS.values()), "Probes")]
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its path and method, in the document's order."""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    _name_ids(path, operation)
    _add_request_headers(path, method, operation)
    for flag, change in _FLAGS.items():
        if operation.pop(flag, False):
            change(operation)
    _add_exports(operation, operation.pop("x-export", ()))
    versioned = bool(_VERSIONED.match(path))
    for status, response in operation["responses"].items():
        response["headers"] = _answer_headers(int(status), response, method, versioned and status != "202")
    if versioned and method == "get":
        operation["responses"]["304"] = {"description": "You have that version", "headers": _headers("ETag")}
    for status in _refusals(path, method, operation):
        operation["responses"][str(status)] = _refusal(status)
    # The server refuses such a line before the console sees it.
    operation["responses"]["414"] = {
        "description": "The address is too long: 4094 bytes are the most",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    _add_links(operation)


def _name_ids(path: str, operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if parameter["in"] != "path":
            continue
        name = parameter["name"]
        parameter["required"] = True
        if parameter["schema"]["type"] == "integer":
            parameter["schema"] |= {"minimum": 0, "maximum": fields.LARGEST}
        else:
            resource = path.split("/")[3]
            expression = _IDS.get(name) or (
                fields.KEY_NAME if "/keys/" in path else _NAMES.get(resource, fields.KEY_NAME)
            )
            parameter["schema"]["pattern"] = f"^{expression}$"


def _add_request_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    found = []
    if method != "get":
        text = "sent again with the same key, the request gets the same answer and changes nothing"
        found.append(_parameter(HEADER, text, pattern=f"^{PATTERN}$"))
    if method != "get" and (_VERSIONED.match(path) or path == "/api/v1/commands"):
        found.append(_parameter("If-Match", "the ETag of what you have seen, or `*`"))
    if method == "get" and _VERSIONED.match(path):
        found.append(_parameter("If-None-Match", "the ETag of the copy that you have"))
    operation["parameters"] += found


def _parameter(name: str, description: str, **schema: str) -> dict[str, Any]:
    kind = {"type": "string", **schema}
    return {"in": "header", "name": name, "description": description, "required": False, "schema": kind}


def _answer_headers(status: int, response: dict[str, Any], method: str, versioned: bool) -> dict[str, Any]:
    names = ["X-Request-ID"]
    names += ["ETag"] if versioned and status in (200, 201) else []
    names += [REPLAYED] if method != "get" else []
    content = response.get("content", {}).get("application/json", {}).get("schema", {})
    if str(content.get("$ref", "")).endswith("List"):
        names.append("Link")
    if response.pop("x-location", False):
        names.append("Location")
    return _headers(*names)


_HEADERS = {
    "ETag": "the version",
    "Link": '`<address>; rel="next"`: the next page, if there is one',
    "Location": "the address of what was made",
    REPLAYED: "`true`: this was answered before, and nothing was done",
    "Retry-After": "seconds to wait",
    "X-Request-ID": "under which the log has the request",
}
_ALWAYS = {"X-Request-ID", "ETag", "Location"}


def _headers(*names: str) -> dict[str, Any]:
    return {
        name: {"description": _HEADERS[name], "required": name in _ALWAYS, "schema": {"type": "string"}}
        for name in names
    }


def _refusals(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    found = [400, 401, 403, 405, 422, 503]
    if "{" in path or path in ("/api/v1/commands", "/api/v1/commands/bulk"):
        found.append(404)
    if method != "get":
        found += [409, 413, 415]
    elif path.endswith("/schema") or "/lines/{position}" in path:
        found.append(409)
    if any(parameter["name"] == "If-Match" for parameter in operation["parameters"]):
        found.append(412)
    if method == "put":
        found.append(428)
    return sorted(found)


def _refusal(status: int) -> dict[str, Any]:
    headers = _headers("X-Request-ID", *(["Retry-After"] if status in (409, 503) else []))
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _WORDS[status], "content": {MEDIA_TYPE: {"schema": schema}}, "headers": headers}


def _add_links(operation: dict[str, Any]) -> None:
    for status, links in LINKS.get(operation["operationId"], {}).items():
        operation["responses"][status]["links"] = links


def _flag_created(operation: dict[str, Any]) -> None:
    """201 for what is new, beside 200."""
    made = {**operation["responses"]["200"], "description": "It is new", "x-location": True}
    operation["responses"]["201"] = made


def _flag_location(operation: dict[str, Any]) -> None:
    for status in ("201", "202"):
        if status in operation["responses"]:
            operation["responses"][status]["x-location"] = True


def _flag_stream(operation: dict[str, Any]) -> None:
    content = operation["responses"]["200"].setdefault("content", {})
    if not content.get("application/json", {}).get("schema"):
        content.pop("application/json", None)
    content["text/event-stream"] = {"schema": {"type": "string"}}
    text = "the id of the last message that was seen"
    operation["parameters"].append(_parameter("Last-Event-ID", text))


def _flag_csv(operation: dict[str, Any]) -> None:
    operation["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}


def _add_exports(operation: dict[str, Any], kinds: Sequence[str]) -> None:
    """An answer in one of several forms that are no JSON."""
    if kinds:
        operation["responses"]["200"]["content"] = {kind: {"schema": {"type": "string"}} for kind in kinds}


_FLAGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "x-created": _flag_created,
    "x-location": _flag_location,
    "x-stream": _flag_stream,
    "x-csv": _flag_csv,
}


def _problem_schema() -> dict[str, Any]:
    texts = {"type": "string"}
    about = {name: field.metadata.get("description") for name, field in Problem().fields.items()}
    properties: dict[str, Any] = {
        name: {**texts, **({"description": text} if text else {})} for name, text in about.items()
    }
    properties["status"] = {"type": "integer", "minimum": 400, "maximum": 599}
    properties["errors"] |= {"type": "object", "additionalProperties": texts}
    required = [name for name in properties if name != "errors"]
    return {
        "type": "object",
        "description": Problem.__doc__,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _tag(path: str) -> str:
    return _TAGS[path.split("/")[3]] if path.startswith("/api/") else "Probes"


def _path(rule: str) -> str:
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule)
