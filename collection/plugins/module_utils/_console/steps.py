# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a deployment is to what a play wants it to be: which phase comes next. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import NotPossible
from .params import differing, hide_secrets

INITIATED, PENDING, COMPLETED, REMOVED, FAILED = 0, 1, 5, 8, 9  # states, as the console numbers them
_STANDS_STILL = ("stopped", "missing")  # healths in which nothing of a deployment runs


@dataclass(frozen=True)
class Wanted:
    """What a play wants of a deployment."""

    state: str  # present, absent, started, stopped
    name: str
    plan: str | None = None  # None: whatever it is of
    project: str = ""
    owner: str | None = None  # None: whoever the key belongs to
    params: Mapping[str, Any] = field(default_factory=dict)  # the others stay as they are
    keep_data: bool | None = None  # None: as the service says


@dataclass(frozen=True)
class Step:
    """A phase to ask for. Without `deployment` it makes a new one."""

    phase: str
    params: Mapping[str, Any] = field(default_factory=dict)
    deployment: str | None = None


#: JSON Schemas of the parameters of each phase that the plan has: {phase: {parameter: schema}}.
Schemas = Mapping[str, Mapping[str, Mapping[str, Any]]]


def next_step(wanted: Wanted, live: Mapping[str, Any] | None, schemas: Schemas) -> Step | None:
    """The next phase on the way from the deployment `live` (None: there is none) to `wanted`; None: arrived.

    Raises NotPossible where no phase leads there.
    """
    if wanted.state == "absent":
        return _removal(wanted, live)
    if live is None:
        return _installation(wanted, schemas)
    ident = live["id"]
    if wanted.plan is not None and wanted.plan != live["plan"]:
        raise NotPossible(
            f"{wanted.name} is a deployment of the plan {live['plan']}, and that cannot be changed. "
            "Choose another name, or remove it first."
        )
    if live["state"] == FAILED and not live["services"]:
        return Step("install", dict(wanted.params), ident)
    changes = differing(wanted.params, live["params"], _all_parameters(schemas))
    if changes:
        return _change(wanted, changes, ident, schemas)
    if live["state"] == FAILED:
        return Step("update" if "update" in schemas else "install", {}, ident)
    if wanted.state == "started" and live["health"] != "running":
        return Step("install" if live["health"] == "missing" else "start", {}, ident)
    if wanted.state == "stopped" and live["health"] not in _STANDS_STILL:
        return Step("stop", {}, ident)
    return None


def describe(live: Mapping[str, Any] | None) -> dict[str, Any]:
    """One side of a diff: what a play can say of a deployment, without secrets."""
    if live is None:
        return {"state": "absent"}
    return {
        "state": "present",
        "plan": live["plan"],
        "project": live["project"],
        "health": live["health"],
        "params": hide_secrets(live["params"]),
    }


def describe_wanted(
    wanted: Wanted, live: Mapping[str, Any] | None, schemas: Schemas
) -> tuple[list[Step], dict[str, Any]]:
    """All steps to `wanted` and the other side of the diff, as far as they are known beforehand."""
    after, steps = None if live is None else dict(live), []
    while (step := next_step(wanted, after, schemas)) is not None:
        if step in steps:
            raise NotPossible(f"The phase {step.phase} does not lead to state {wanted.state}.")
        steps.append(step)
        after = _after(step, wanted, after, schemas)
    return steps, describe(after)


def body_of(step: Step, wanted: Wanted) -> dict[str, Any]:
    """The document that asks the console for `step`."""
    body: dict[str, Any] = {"phase": step.phase, "params": dict(step.params)}
    if step.deployment:
        return {**body, "deployment": step.deployment}
    body |= {"plan": wanted.plan, "name": wanted.name, "project": wanted.project}
    return {**body, "owner": wanted.owner} if wanted.owner else body


def derive_key(*parts: Any) -> str:
    """An Idempotency-Key for what `parts` say: the same request of a play that is run twice has the same."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"play-{hashlib.sha256(text.encode()).hexdigest()[:48]}"


def _removal(wanted: Wanted, live: Mapping[str, Any] | None) -> Step | None:
    if live is None:
        return None
    params = {} if wanted.keep_data is None else {"keep_data": wanted.keep_data}
    return Step("remove", params, live["id"])


def _installation(wanted: Wanted, schemas: Schemas) -> Step:
    if not wanted.plan:
        raise NotPossible(f"There is no deployment {wanted.name} yet: say in plan what it is to be.")
    known = schemas.get("install", {})
    strange = sorted(set(wanted.params) - set(known)) if known else []
    if strange:
        raise NotPossible(
            f"The plan {wanted.plan} has no parameter {', '.join(strange)}. "
            f"It has: {', '.join(sorted(known))}."
        )
    return Step("install", dict(wanted.params))


def _change(wanted: Wanted, changes: Mapping[str, Any], ident: str, schemas: Schemas) -> Step:
    """As much at once as one phase takes; what is left comes next."""
    names = set(changes)
    takes = {phase: names & set(schemas[phase]) for phase in ("update", "scale") if phase in schemas}
    fixed = sorted(names.difference(*takes.values()))
    if fixed:
        raise NotPossible(
            f"{', '.join(fixed)} cannot be changed in the deployment {wanted.name}: no phase takes it. "
            "Leave it as it is, or remove the deployment and make it anew."
        )
    phase = max(takes, key=lambda name: len(takes[name]))
    return Step(phase, {name: changes[name] for name in sorted(takes[phase])}, ident)


def _all_parameters(schemas: Schemas) -> dict[str, Mapping[str, Any]]:
    return {name: schema for parameters in schemas.values() for name, schema in parameters.items()}


def _after(
    step: Step, wanted: Wanted, before: Mapping[str, Any] | None, schemas: Schemas
) -> dict[str, Any] | None:
    """The deployment as `step` is expected to leave it."""
    if step.phase == "remove":
        return None
    old = before or {
        "id": "new",
        "plan": wanted.plan,
        "project": wanted.project,
        "params": {n: s["default"] for n, s in schemas.get("install", {}).items() if "default" in s},
        "health": "running",
    }
    health = {"install": "running", "start": "running", "stop": "stopped"}.get(step.phase, old["health"])
    params = {**old["params"], **step.params}
    return {**old, "params": params, "health": health, "state": COMPLETED, "services": ["expected"]}
