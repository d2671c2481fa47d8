# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is billed where the swarm does not say what was. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .errors import UsageError

_CHOICES = {
    "node_away": ("last_beat", "bill"),
    "ended_in_silence": ("last_beat", "engine"),
    "running_after_silence": ("bill", "skip"),
    "unseen": ("nothing", "created"),
}


@dataclass(frozen=True)
class Policy:
    """Silence is `missed_beats` times `interval` seconds without a look that proves that a task runs."""

    interval: int = 300  # seconds from one look to the next
    missed_beats: int = 3
    # A task on a node that does not answer: until its last beat, or as long as the swarm shows it running.
    node_away: str = "last_beat"
    # One that ended in a silence, its end known from the swarm alone: until its last beat, or that end.
    ended_in_silence: str = "last_beat"
    # One found running after a silence: all of it, as the same task cannot have stopped; or not the silence.
    running_after_silence: str = "bill"
    # One that began and ended between two looks, and of whose container no node knows: nothing, or from
    # when the swarm made it.
    unseen: str = "nothing"

    @property
    def patience(self) -> int:
        """The longest time without a beat that is no silence, in ms."""
        return self.interval * self.missed_beats * 1000


@dataclass(frozen=True)
class Policies:
    """The policy of each plan."""

    default: Policy = Policy()
    plans: Mapping[str, Policy] | None = None

    def of(self, plan: str) -> Policy:
        """The policy for the tasks of a plan."""
        return (self.plans or {}).get(plan, self.default)


def read_policies(default: Mapping[str, Any] | None, plans: Mapping[str, Any] | None) -> Policies:
    """Policies from mappings; a plan's has what it does not say from the default.

    Raises UsageError with the place, as in `plan_policies.gpu.unseen`.
    """
    base = _read(default, Policy(), "policy")
    return Policies(
        base, {name: _read(about, base, f"plan_policies.{name}") for name, about in (plans or {}).items()}
    )


def _read(given: Mapping[str, Any] | None, base: Policy, where: str) -> Policy:
    if given is not None and not isinstance(given, Mapping):
        raise UsageError(f"{where}: a mapping is needed; got {given!r}")
    known = {one.name for one in fields(Policy)}
    changes: dict[str, Any] = {}
    for name, value in (given or {}).items():
        if value is None:
            continue
        if name not in known:
            raise UsageError(f"{where}.{name}: is no part of a policy; known are {', '.join(sorted(known))}")
        changes[name] = _check(name, value, f"{where}.{name}")
    return replace(base, **changes)


def _check(name: str, value: Any, where: str) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise UsageError(f"{where}: {value!r} is none of {', '.join(_CHOICES[name])}")
        return value
    if isinstance(value, bool) or not str(value).isdecimal() or int(value) < 1:
        raise UsageError(f"{where}: {value!r} is no whole number of at least 1")
    return int(value)
