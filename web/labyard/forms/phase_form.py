"""A web form made of a phase's fields.

The form holds texts only: types, ranges and choices are checked by the one validator that the
REST API, the command line and the request file go through as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.widgets import NumberInput

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Field, PhaseSpec

PREFIX = "param-"


@dataclass(frozen=True)
class FieldGroup:
    """Form fields that stand together under a title."""

    title: str
    names: tuple[str, ...]  # attribute names of the form


def build_form(phase: PhaseSpec, fixed: Mapping[str, Any], current: Mapping[str, Any]) -> FlaskForm:
    """A form for `phase`, filled with `current` values or defaults; fixed fields are left out."""
    members = {PREFIX + f.name: _form_field(f) for f in phase.fields if f.name not in fixed}
    form_class = type("PhaseForm", (FlaskForm,), members)
    data = {
        PREFIX + f.name: _to_text(f, current.get(f.name, f.default))
        for f in phase.fields
        if f.name not in fixed
    }
    return form_class(data=data)


def form_groups(phase: PhaseSpec, form: FlaskForm) -> list[FieldGroup]:
    """The form's fields by group, in the order of the sidecar."""
    groups: dict[str, list[str]] = {}
    for field in phase.fields:
        if PREFIX + field.name in form:
            groups.setdefault(field.group, []).append(PREFIX + field.name)
    return [FieldGroup(title, tuple(names)) for title, names in groups.items()]


def read_params(phase: PhaseSpec, form: FlaskForm) -> dict[str, Any]:
    """What the form sent, as raw parameters by public name; empty inputs are left out."""
    params: dict[str, Any] = {}
    for field in phase.fields:
        if PREFIX + field.name not in form:
            continue
        value = _from_text(field, form[PREFIX + field.name].data)
        if value is not None:
            params[field.name] = value
    return params


def show_errors(form: FlaskForm, errors: Mapping[str, str]) -> dict[str, str]:
    """Put each message at its field; what belongs to no field is returned."""
    left = {}
    for name, text in errors.items():
        if PREFIX + name in form:
            field = form[PREFIX + name]
            field.errors = [*field.errors, text]
        else:
            left[name] = text
    return left


def _form_field(field: Field) -> Any:
    label = f"{field.title} ({field.unit})" if field.unit else field.title
    about: dict[str, Any] = {"label": label, "description": field.help}
    attributes = _attributes(field)
    if field.type == "bool":
        return BooleanField(**about)
    if field.type == "list" and field.choices:
        return SelectMultipleField(choices=[str(c) for c in field.choices], **about)
    if field.choices:
        return SelectField(choices=[str(c) for c in field.choices], validate_choice=False, **about)
    if field.type in ("list", "dict"):
        return TextAreaField(render_kw={"rows": 3, "spellcheck": "false", **attributes}, **about)
    if field.type in ("int", "float"):
        return StringField(widget=NumberInput(), render_kw=attributes, **about)
    return StringField(render_kw=attributes, **about)


def _attributes(field: Field) -> dict[str, Any]:
    step = field.step if field.step is not None else ("any" if field.type == "float" else 1)
    numeric = field.type in ("int", "float")
    attributes = {
        "min": field.minimum if numeric else None,
        "max": field.maximum if numeric else None,
        "step": step if numeric else None,
        "maxlength": field.max_length if field.type == "str" else None,
        "placeholder": field.placeholder or None,
        "required": True if field.required else None,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _to_text(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.type == "bool":
        return bool(value)
    if field.type == "list":
        return list(map(str, value)) if field.choices else "\n".join(map(str, value))
    if field.type == "dict":
        return "\n".join(f"{key}={_line(text)}" for key, text in value.items())
    return str(value)


def _line(value: Any) -> str:
    """A value that fits on a line; one that does not is written as a JSON text."""
    text = str(value)
    return json.dumps(text) if "\n" in text or text != text.strip() or text.startswith('"') else text


def _from_text(field: Field, data: Any) -> Any:
    if field.type == "bool":
        return bool(data)
    if isinstance(data, list):
        return data
    text = (data or "").strip()
    if field.type == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.type == "dict":
        return dict(_entry(line) for line in text.splitlines() if line.strip())
    return text if text else None


def _entry(line: str) -> tuple[str, str]:
    key, _, value = line.strip().partition("=")
    value = value.strip()
    if value.startswith('"'):
        try:
            decoded = json.loads(value)
            value = decoded if isinstance(decoded, str) else value
        except ValueError:
            pass  # a text that only begins with a quotation mark
    return key.strip(), value
