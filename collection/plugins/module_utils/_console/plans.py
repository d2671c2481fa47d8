# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans of the catalogue: bring one to what a play wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import ConsoleClient
from .errors import Changed, NotFound, NotPossible
from .params import hide_secrets

FIELDS = ("configuration", "title", "summary", "fixed", "shapes", "visible", "projects", "source")
_TRIES = 3  # when others change the plan at the same time


@dataclass(frozen=True)
class PlanChange:
    """What to do with a plan: `method` PUT, DELETE or None for nothing. `before` and `after` are plans
    without what only the console knows; None: there is none."""

    method: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def decide(given: Mapping[str, Any], state: str, current: Mapping[str, Any] | None) -> PlanChange:
    """How to come from the plan `current` to `given` (None: not said, stays as it is).

    Raises NotPossible for a new plan without a configuration.
    """
    before = None if current is None else _stored(current)
    if state == "absent":
        return PlanChange(None if before is None else "DELETE", before, None)
    said = {name: given[name] for name in FIELDS if given.get(name) is not None}
    if before is None and "configuration" not in said:
        raise NotPossible("The plan is new: say in configuration which role deploys it.")
    if said.get("projects") is not None:
        said["projects"] = sorted(set(said["projects"]))
        before = before and {**before, "projects": sorted(before.get("projects", ()))}
    if "source" in said:  # what is not said of it came as None
        said["source"] = {key: text for key, text in said["source"].items() if text is not None}
    after = {**(before or {}), **said}
    return PlanChange(None if after == before else "PUT", before, after)


def ensure_plan(client: ConsoleClient, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make, change or retire the plan that `options` describe; the result of the module."""
    for attempt in range(_TRIES):
        current = find_plan(client, options["name"])
        change = decide(options, options["state"], current)
        result = {
            "changed": change.method is not None,
            "plan": _foresee(options["name"], current, change),
            "diff": {"before": hide_secrets(change.before or {}), "after": hide_secrets(change.after or {})},
        }
        if change.method is None or check_mode:
            return result
        match = None if current is None else f'"{current["version"]}"'
        try:
            answer = client.call(change.method, f"plans/{options['name']}", change.after, match=match)
        except Changed:
            if attempt == _TRIES - 1:
                raise
        else:
            return {**result, "plan": answer.document}
    raise AssertionError("the last try returns or raises")


def _stored(current: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a plan as an operator gave them: a summary that is its configuration's is none."""
    found = {name: current[name] for name in FIELDS if name in current}
    return {**found, "summary": current["own_summary"]} if "own_summary" in current else found


def _foresee(name: str, current: dict[str, Any] | None, change: PlanChange) -> dict[str, Any] | None:
    """The plan as the console will show it, as far as that is known here; None once it is retired."""
    if change.method is None or change.after is None:
        return current if change.method is None else None
    before = change.before or {}
    new = {key: value for key, value in change.after.items() if key not in before or before[key] != value}
    return {"name": name, **(current or {}), **new}


def find_plan(client: ConsoleClient, name: str) -> dict[str, Any] | None:
    """The plan as the console shows it, or None."""
    try:
        plan: dict[str, Any] = client.get(f"plans/{name}")
    except NotFound:
        return None
    return plan
