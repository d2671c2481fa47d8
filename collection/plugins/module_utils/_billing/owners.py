# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a service or a volume of the swarm belongs to, by its labels. Pure.

Labels of Labyard's deployments and of the hub's notebooks are known; of any other service the stack stands
for the deployment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STACK = "com.docker.stack.namespace"
DEPLOYMENT = "labyard.deployment"
HUB = "labyard.hub"
SHAPE = "labyard.shape"
_FIELDS = {"plan": "labyard.plan", "shape": SHAPE, "project": "labyard.project", "user": "labyard.owner"}
_LENGTHS = {"deployment_name": 63, "account": 80}
_LONGEST = 64  # characters of every other field


@dataclass(frozen=True)
class Names:
    """What is copied into the records of a task or volume."""

    account: str
    deployment: str = ""
    deployment_name: str = ""
    plan: str = ""
    shape: str = ""
    project: str = ""
    user: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """What is metered: whatever has one of the labels, or is of one of the stacks or deployments.

    A label is `name` or `name=value`. Nothing at all selects everything.
    """

    labels: Sequence[str] = ()
    stacks: Sequence[str] = ()
    deployments: Sequence[str] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels is metered."""
        if not (self.labels or self.stacks or self.deployments):
            return True
        if labels.get(STACK) in self.stacks or labels.get(DEPLOYMENT) in self.deployments:
            return True
        return any(_has(labels, wanted) for wanted in self.labels)

    def mark(self) -> str:
        """16 hexadecimal digits that differ for different selections."""
        parts = [",".join(sorted(part)) for part in (self.labels, self.stacks, self.deployments)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def name_owner(labels: Mapping[str, str], fallback: str, details: Mapping[str, str]) -> Names:
    """The names for something with `labels`; `fallback` names what has none, as `service:<name>`."""
    found = {key: clean(labels.get(label, "")) for key, label in _FIELDS.items()}
    stack = clean(labels.get(STACK, ""))
    if labels.get(HUB):
        deployment, name = _name_at_hub(labels)
    else:
        deployment = clean(labels.get(DEPLOYMENT, "")) or stack
        name = clean(stack, _LENGTHS["deployment_name"])
    return Names(
        account=_account(found, stack, fallback),
        deployment=deployment,
        deployment_name=name,
        details={key: clean(text, 200) for key, text in details.items() if text},
        **found,
    )


def clean(text: str, longest: int = _LONGEST) -> str:
    """`text` as a record may hold it; what was changed ends with a digest of the whole."""
    printable = "".join(character for character in str(text) if character.isprintable())
    if printable == text and len(text) <= longest:
        return text
    digest = hashlib.sha256(str(text).encode()).hexdigest()[:8]
    return f"{printable[: longest - 9]}~{digest}"


def _name_at_hub(labels: Mapping[str, str]) -> tuple[str, str]:
    """The deployment that a notebook of the hub, or a person's home there, counts as, and its name."""
    hub, key, owner = labels[HUB], labels.get(f"{HUB}.key", ""), labels.get("labyard.owner", "")
    if key:
        return clean(f"{hub}-{key}"), clean(labels.get(f"{HUB}.server", "") or "notebook", 63)
    return clean(f"{hub}-home-{hashlib.sha256(owner.encode()).hexdigest()[:10]}"), "home"


def _account(found: Mapping[str, str], stack: str, fallback: str) -> str:
    for kind in ("user", "project"):
        if found[kind]:
            return clean(f"{kind}:{found[kind]}", _LENGTHS["account"])
    return clean(f"stack:{stack}" if stack else fallback, _LENGTHS["account"])


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    name, mark, value = wanted.partition("=")
    return name in labels and (not mark or labels[name] == value)
