# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request file: which phase of which plan, for which deployment, with which parameters."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .spec import PHASES, Configuration
from .validate import InvalidParams, clean_fixed, clean_params

_PLAN_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_DEPLOYMENT_ID = re.compile(r"[a-z0-9]{8}")
_CONSOLE_ID = re.compile(r"[a-z0-9]{12}")
_DEPLOYMENT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_OWNER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_SHAPE_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,255}")
_CONFIGURATION_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){2}")
_SECRET = re.compile(r"[\x21-\x7e]{8,1024}")
_KEYS = {"plan", "phase", "name", "deployment", "params", "secrets", "steps_done"}

NAME_RULE = (
    "must be 1 to 63 letters, digits, dots, dashes or underscores, and begin and end with a letter or digit"
)


class RequestError(ValueError):
    """A request cannot be carried out; `errors` maps the place of each fault to what is wrong."""

    def __init__(self, errors: Mapping[str, str]):
        self.errors = dict(errors)
        super().__init__("; ".join(f"{place}: {text}" for place, text in self.errors.items()))


@dataclass(frozen=True)
class PlanSpec:
    """An offering of the catalogue, as an operator writes it."""

    name: str
    configuration: str
    title: str = ""
    summary: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)  # public names to values nobody may change
    shapes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    visible: bool = True
    projects: tuple[str, ...] = ()  # whose members may see it; empty: everybody
    # Where the configuration is fetched from at each run: repository, ref, path; empty: it is installed.
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """The deployment a request is about."""

    id: str
    name: str
    plan: str
    project: str
    owner: str
    console: str = ""  # the console that made it; "" for one that no console knows
    # The plan's shape that it has when the phase is done; "" for none, None where the request does not say.
    shape: str | None = None

    @property
    def stack(self) -> str:
        """Its name on the swarm; never made of a person's text."""
        return stack_name(self.plan, self.id)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every object of the deployment carries."""
        labels = {
            "labyard.deployment": self.id,
            "labyard.plan": self.plan,
            "labyard.project": self.project,
            "labyard.owner": self.owner,
        }
        # Consoles that share a swarm tell theirs apart by it.
        return labels | ({"labyard.console": self.console} if self.console else {})

    def container_labels(self, shape: str) -> dict[str, str]:
        """Those of its containers: with the shape at which they run, which is known when they have ended."""
        return self.labels | ({"labyard.shape": shape} if shape else {})


@dataclass(frozen=True)
class Request:
    """A request that was read and whose frame is sound; parameters are checked by `resolve_options`."""

    plan: PlanSpec
    phase: str
    subject: Subject
    params: Mapping[str, Any]
    secrets: Mapping[str, str]
    steps_done: tuple[str, ...] = ()  # steps that an earlier run completed and this one leaves out


def stack_name(plan: str, deployment_id: str) -> str:
    """The stack of a deployment: `<plan>-<8 characters>`."""
    return f"{plan}-{deployment_id}"


def derive_id(owner: str, project: str, name: str) -> str:
    """A stable id (8 of a-z, 2-7) for a deployment that no console knows, from what names it."""
    digest = hashlib.sha256("\0".join((owner, project, name)).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:8]


def check_name(name: Any) -> str:
    """`name` if it may name a deployment; raises ValueError with the rule."""
    if not isinstance(name, str) or not _DEPLOYMENT_NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return name


def read_plans(path: Path) -> dict[str, PlanSpec]:
    """The plans of the YAML file `path` (a list), by name; raises RequestError with the entry."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError({"plans": f"{path} cannot be read ({error.strerror})"}) from error
    except yaml.YAMLError as error:
        raise RequestError({"plans": f"{path} is not YAML: {error}"}) from error
    if not isinstance(document, list):
        raise RequestError({"plans": f"{path} must be a list of plans"})
    plans = {}
    for position, entry in enumerate(document):
        plan = parse_plan(entry, f"plans[{position}]")
        if plan.name in plans:
            raise RequestError({f"plans[{position}].name": f"{plan.name} stands twice"})
        plans[plan.name] = plan
    return plans


def parse_plan(entry: Any, place: str = "plan") -> PlanSpec:
    """One plan document as a PlanSpec; raises RequestError with the place of each fault."""
    if not isinstance(entry, Mapping):
        raise RequestError({place: "must be a mapping with name and configuration"})
    errors = _plan_faults(entry, place)
    if errors:
        raise RequestError(errors)
    name = entry["name"]
    return PlanSpec(
        name=name,
        configuration=entry["configuration"],
        title=entry.get("title") or name.replace("-", " ").capitalize(),
        summary=entry.get("summary") or "",
        fixed=dict(entry.get("fixed") or {}),
        shapes=dict(entry.get("shapes") or {}),
        visible=entry.get("visible") is not False,
        projects=tuple(entry.get("projects") or ()),
        source=dict(entry.get("source") or {}),
    )


def _plan_faults(entry: Mapping[str, Any], place: str) -> dict[str, str]:
    known = set(PlanSpec.__dataclass_fields__)
    errors = {
        f"{place}.{key}": f"is not a key of a plan; known are: {', '.join(sorted(known))}"
        for key in entry
        if key not in known
    }
    if not _matches(_PLAN_NAME, entry.get("name")):
        errors[f"{place}.name"] = (
            "must be 1 to 30 lower-case letters, digits or dashes, beginning with a letter"
        )
    if not _matches(_CONFIGURATION_NAME, entry.get("configuration")):
        errors[f"{place}.configuration"] = "must be the full name of a role: namespace.collection.role"
    kinds: dict[str, tuple[Any, str]] = {
        "fixed": (Mapping, "a mapping"),
        "shapes": (Mapping, "a mapping"),
        "visible": (bool, "true or false"),
    }
    kinds |= {"title": (str, "a text"), "summary": (str, "a text")}
    kinds |= {"projects": ((list, tuple), "a list of names"), "source": (Mapping, "a mapping")}
    for key, (kind, words) in kinds.items():
        if entry.get(key) is not None and not isinstance(entry[key], kind):
            errors[f"{place}.{key}"] = f"must be {words}"
    for key, values in (("projects", entry.get("projects")), ("source", entry.get("source"))):
        texts = values.values() if isinstance(values, Mapping) else values
        if f"{place}.{key}" not in errors and not all(isinstance(text, str) for text in texts or ()):
            errors[f"{place}.{key}"] = "must hold texts only"
    return errors


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def read_request(path: Path, plans: Mapping[str, PlanSpec]) -> Request:
    """Read the request file `path` (JSON); raises RequestError if it cannot be used."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError({"request": f"{path} cannot be read ({error.strerror})"}) from error
    except ValueError as error:
        raise RequestError({"request": f"{path} is not JSON: {error}"}) from error
    return parse_request(document, plans)


def parse_request(document: Any, plans: Mapping[str, PlanSpec]) -> Request:
    """A request document as a Request; a plan given by name is looked up in `plans`.

    Raises RequestError with the place of each fault.
    """
    if not isinstance(document, Mapping):
        raise RequestError({"request": "must be a mapping with plan, phase, name and params"})
    errors = {str(key): f"is not a key of a request; known are: {', '.join(sorted(_KEYS))}"
              for key in document if key not in _KEYS}  # fmt: skip
    plan = _find_plan(document.get("plan"), plans, errors)
    phase = document.get("phase")
    if phase not in PHASES:
        errors["phase"] = f"must be one of: {', '.join(PHASES)}"
    try:
        name = check_name(document.get("name"))
    except ValueError as error:
        errors["name"] = str(error)
    params = document.get("params")
    if params is None:
        params = {}
    if not isinstance(params, Mapping):
        errors["params"] = "must be a mapping of names to values"
    secrets = _check_secrets(document.get("secrets"), errors)
    steps_done = _check_steps(document.get("steps_done"), errors)
    about = _check_deployment(document.get("deployment"), errors)
    if errors or plan is None:
        raise RequestError(errors)
    owner, project = about.get("owner", "operator"), about.get("project", "default")
    subject = Subject(
        id=about.get("id") or derive_id(owner, project, name),
        name=name,
        plan=plan.name,
        project=project,
        owner=owner,
        console=about.get("console", ""),
        shape=about.get("shape"),
    )
    return Request(plan, str(phase), subject, dict(params), secrets, steps_done)


def _check_steps(given: Any, errors: dict[str, str]) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        errors["steps_done"] = "must be a list of names of steps"
        return ()
    return tuple(given)


def _find_plan(given: Any, plans: Mapping[str, PlanSpec], errors: dict[str, str]) -> PlanSpec | None:
    if isinstance(given, Mapping):
        try:
            return parse_plan(given)
        except RequestError as error:
            errors.update(error.errors)
            return None
    if isinstance(given, str) and given in plans:
        return plans[given]
    errors["plan"] = f"there is no such plan; known are: {', '.join(sorted(plans)) or 'none'}"
    return None


def _check_secrets(given: Any, errors: dict[str, str]) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(
        isinstance(v, str) and _SECRET.fullmatch(v) for v in given.values()
    ):
        errors["secrets"] = "must map names to texts of 8 to 1024 printable characters without spaces"
        return {}
    return dict(given)


def _check_deployment(given: Any, errors: dict[str, str]) -> dict[str, str]:
    rules = {"id": _DEPLOYMENT_ID, "project": _OWNER_NAME, "owner": _OWNER_NAME}
    rules |= {"console": _CONSOLE_ID, "shape": _SHAPE_NAME}
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        errors["deployment"] = "must be a mapping with id, project and owner"
        return {}
    for key, value in given.items():
        rule = rules.get(key)
        if rule is None:
            errors[f"deployment.{key}"] = f"is not known here; known are: {', '.join(rules)}"
        elif not isinstance(value, str) or not rule.fullmatch(value):
            errors[f"deployment.{key}"] = f"must match {rule.pattern}"
    return dict(given)


def resolve_options(configuration: Configuration, request: Request) -> dict[str, Any]:
    """The role variables of the request: the person's clean parameters under the plan's fixed values.

    Only what was given or fixed is returned: the role's own defaults stay its own. Raises
    RequestError with a message for each wrong field.
    """
    values = merge_params(configuration, request.plan, request.phase, request.params)
    phase = configuration.phases[request.phase]
    option_of = {f.name: f.option for f in (*phase.fields, *phase.operator_fields)}
    return {option_of[name]: value for name, value in values.items()}


def merge_params(
    configuration: Configuration, plan: PlanSpec, phase_name: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Clean values by public name: what the person gave, then what the plan fixes.

    Raises RequestError; a parameter that the plan fixes may not be given with another value.
    """
    phase = configuration.phases.get(phase_name)
    if phase is None:
        raise RequestError({"phase": f"must be one of: {', '.join(configuration.phases)}"})
    try:
        given = clean_params(phase, params, defaults=False)
    except InvalidParams as error:
        raise RequestError(error.errors) from error
    try:
        fixed = clean_fixed(phase, plan.fixed)
    except InvalidParams as error:
        raise RequestError({f"plan.fixed.{k}": v for k, v in error.errors.items()}) from error
    clashes = {
        k: f"is fixed by the plan to {fixed[k]!r}" for k in given if k in fixed and given[k] != fixed[k]
    }
    if clashes:
        raise RequestError(clashes)
    return {**given, **fixed}
