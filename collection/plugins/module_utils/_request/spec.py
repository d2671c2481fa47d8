# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service configuration as data: the argument specs of a role and its sidecar, read together.

`meta/argument_specs.yml` says what a phase takes; `meta/service.yml` says what an argument
spec cannot: titles, icons, groups, order, ranges, patterns, steps. This file joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

PHASES = ("install", "update", "start", "stop", "scale", "check", "remove")
FIELD_TYPES = ("str", "int", "float", "bool", "list", "dict")
FIRST_STEP = "Read the request"
META_FILES = ("argument_specs.yml", "service.yml")  # of a role's folder meta
RESOURCES = ("cpu", "memory", "gpu", "ports", "image", "constraints")

_ROLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CONFIGURATION_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class ConfigurationError(Exception):
    """A role is not a usable service configuration; the text names the file and the mend."""


@dataclass(frozen=True)
class Field:
    """One parameter of a phase, as a person sees it."""

    name: str  # public name: the option without the role's prefix
    option: str  # the role's own variable
    type: str  # one of FIELD_TYPES
    title: str
    help: str = ""
    elements: str | None = None  # type of a list's items
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    group: str = ""  # title of its group; "" for an option only operators set
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    pattern: str = ""  # of a str
    key_pattern: str = ""  # of a dict's keys
    item_pattern: str = ""  # of a list's items
    rule: str = ""  # what the patterns ask for, in words, after "must be"
    max_length: int | None = None  # characters, of a str and of every item and value
    max_items: int | None = None  # of a list or dict
    placeholder: str = ""


@dataclass(frozen=True)
class Group:
    """Fields that stand together in the form, in order."""

    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class PhaseSpec:
    """What one phase takes, how long it may last and which steps it takes."""

    name: str
    title: str
    timeout: int  # seconds
    steps: tuple[str, ...]  # names of Ansible tasks, in order
    fields: tuple[Field, ...]  # what a person may set
    operator_fields: tuple[Field, ...]  # what only inventory or a plan's fixed values may set
    loses: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    once: tuple[str, ...] = ()  # steps that a retry leaves out if they were completed (`repeat: false`)
    idempotent: bool = True  # whether a run that was cut off may be run again without asking

    def field(self, name: str) -> Field | None:
        """The person's field of that public name, or None."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True)
class Secret:
    """A value made once for each deployment: `size` random bytes, as URL-safe text."""

    name: str
    size: int = 32


@dataclass(frozen=True)
class Resource:
    """What a service takes of the swarm, and which parameters say how much of it."""

    kind: str  # one of RESOURCES
    parameter: str = ""  # public name of the parameter with the amount; of an image none
    reserved: str = ""  # of the parameter that says which part of it (0 to 1) is set aside
    name: str = ""  # of a gpu: the generic resource of the nodes; of an image: with {parameters} in it


@dataclass(frozen=True)
class Configuration:
    """A role whose entry points are the phases of a service."""

    name: str  # fully qualified: namespace.collection.role
    role: str
    title: str
    icon: str  # a name of Bootstrap Icons
    summary: str
    groups: tuple[Group, ...]
    phases: Mapping[str, PhaseSpec]
    secrets: tuple[Secret, ...] = ()
    resources: tuple[Resource, ...] = ()


def read_configuration(role_path: Path, name: str) -> Configuration:
    """Read the role at `role_path` as the configuration `name` (namespace.collection.role).

    Raises ConfigurationError if either file is missing, is no YAML or contradicts the other.
    """
    specs, sidecar = (_read(role_path / "meta" / file) for file in META_FILES)
    return parse_configuration(name, specs, sidecar, f"{role_path}/")


def parse_configuration(name: str, specs_text: str, sidecar_text: str, place: str = "") -> Configuration:
    """The configuration `name` from the texts of its two files; `place` stands before their names in errors.

    Raises ConfigurationError if either is no YAML or contradicts the other.
    """
    if not _CONFIGURATION_NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a configuration: write namespace.collection.role")
    role = name.rsplit(".", 1)[1]
    specs_place, sidecar_place = (f"{place}meta/{file}" for file in META_FILES)
    specs = _parse_yaml(specs_text, specs_place).get("argument_specs") or {}
    sidecar = _parse_yaml(sidecar_text, sidecar_place)
    try:
        return _join(name, role, specs, sidecar)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{sidecar_place}: {_reason(error)}") from error


def find_configurations(collection_root: Path, prefix: str = "labyard.platform") -> dict[str, Configuration]:
    """All service configurations of the collection at `collection_root`, by their full name."""
    found = {}
    for sidecar in sorted((collection_root / "roles").glob("*/meta/service.yml")):
        role_path = sidecar.parent.parent
        name = f"{prefix}.{role_path.name}"
        found[name] = read_configuration(role_path, name)
    return found


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8") from error


def _parse_yaml(text: str, place: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{place}: is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{place}: must be a mapping")
    return document


def _join(name: str, role: str, specs: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Configuration:
    groups = tuple(Group(str(g["title"]), tuple(g["fields"])) for g in sidecar.get("groups") or ())
    details = sidecar.get("fields") or {}
    phases = {}
    for phase, about in (sidecar.get("phases") or {}).items():
        if phase not in PHASES:
            raise ValueError(f"phases.{phase}: is no phase; the phases are {', '.join(PHASES)}")
        if phase not in specs:
            raise ValueError(f"phases.{phase}: meta/argument_specs.yml has no entry point of that name")
        phases[phase] = _join_phase(phase, role, specs[phase].get("options") or {}, about, groups, details)
    _refuse_unused(groups, details, phases.values())
    resources = _join_resources(sidecar.get("resources") or {}, phases.values())
    return Configuration(
        name=name,
        role=role,
        title=str(sidecar["title"]),
        icon=str(sidecar.get("icon", "box")),
        summary=str(sidecar.get("summary", "")),
        groups=groups,
        phases=phases,
        secrets=tuple(Secret(s["name"], int(s.get("generate", 32))) for s in sidecar.get("secrets") or ()),
        resources=resources,
    )


def _join_phase(
    phase: str,
    role: str,
    options: Mapping[str, Any],
    about: Mapping[str, Any],
    groups: tuple[Group, ...],
    details: Mapping[str, Any],
) -> PhaseSpec:
    group_of = {name: group.title for group in groups for name in group.fields}
    order = list(group_of)
    fields = [
        _join_field(role, option, spec, details, group_of)
        for option, spec in options.items()
        if option.startswith(f"{role}_")
    ]
    steps = [_read_step(s) for s in about.get("steps") or ()]
    shown = sorted((f for f in fields if f.group), key=lambda f: order.index(f.name))
    return PhaseSpec(
        name=phase,
        title=str(about.get("title", phase.capitalize())),
        timeout=int(about.get("timeout", 600)),
        steps=(FIRST_STEP, *(name for name, _ in steps if name != FIRST_STEP)),
        fields=tuple(shown),
        operator_fields=tuple(f for f in fields if not f.group),
        loses=tuple(about.get("loses") or ()),
        keeps=tuple(about.get("keeps") or ()),
        once=tuple(name for name, repeat in steps if not repeat),
        idempotent=about.get("idempotent") is not False,
    )


def _read_step(step: Any) -> tuple[str, bool]:
    """A step's name and whether a retry runs it again: a text, or {name, repeat}."""
    if isinstance(step, Mapping):
        return str(step["name"]), step.get("repeat") is not False
    return str(step), True


def _join_resources(about: Mapping[str, Any], phases: Iterable[PhaseSpec]) -> tuple[Resource, ...]:
    known = {f.name for phase in phases for f in (*phase.fields, *phase.operator_fields)}
    found = []
    for kind, given in about.items():
        if kind not in RESOURCES:
            raise ValueError(f"resources.{kind}: is not known; known are {', '.join(RESOURCES)}")
        resource = Resource(kind, **{key: str(given[key]) for key in given})
        named = [resource.parameter, resource.reserved]
        if kind == "image":
            named = [name for _, name, _, _ in Formatter().parse(resource.name) if name]
        for name in named:
            if name and name not in known:
                raise ValueError(f"resources.{kind}: {name!r} is an option of no phase")
        found.append(resource)
    return tuple(found)


def _join_field(
    role: str,
    option: str,
    spec: Mapping[str, Any],
    details: Mapping[str, Any],
    group_of: Mapping[str, str],
) -> Field:
    name = option.removeprefix(f"{role}_")
    kind = spec.get("type", "str")
    if kind not in FIELD_TYPES:
        raise ValueError(f"option {option}: type {kind!r} is not one of {', '.join(FIELD_TYPES)}")
    about = details.get(name) or {}
    text = spec.get("description", "")
    return Field(
        name=name,
        option=option,
        type=kind,
        title=str(about.get("title") or name.replace("_", " ").capitalize()),
        help=" ".join(text) if isinstance(text, list) else str(text),
        elements=spec.get("elements"),
        required=bool(spec.get("required", False)),
        default=spec.get("default"),
        choices=tuple(spec.get("choices") or ()),
        group=group_of.get(name, ""),
        unit=str(about.get("unit", "")),
        minimum=about.get("min"),
        maximum=about.get("max"),
        step=about.get("step"),
        pattern=str(about.get("pattern", "")),
        key_pattern=str(about.get("key_pattern", "")),
        item_pattern=str(about.get("item_pattern", "")),
        rule=str(about.get("rule", "")),
        max_length=about.get("max_length"),
        max_items=about.get("max_items"),
        placeholder=str(about.get("placeholder", "")),
    )


def _refuse_unused(groups: Iterable[Group], details: Mapping[str, Any], phases: Iterable[PhaseSpec]) -> None:
    known = {f.name for phase in phases for f in (*phase.fields, *phase.operator_fields)}
    for group in groups:
        for name in group.fields:
            if name not in known:
                raise ValueError(f"groups: field {name!r} of {group.title!r} is an option of no phase")
    for name in details:
        if name not in known:
            raise ValueError(f"fields: {name!r} is an option of no phase")
