# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing usage records: keys that say what is counted, quantities that are exact. Pure."""

from __future__ import annotations

import hashlib
import re

from .beats import OpenTask
from .moments import as_moment, decimal_of, pieces
from .owners import Names
from .units import RESOURCES
from .usage import UsageRecord

# How many decimals the integers have that are counted in: (billionths of a core) x ms, bytes x ms, ms, ns.
_PLACES = {"cpu": 12, "cpu_used": 9, "network_in": 0, "network_out": 0}
_OTHERS = 3
_PLAIN = re.compile(r"[a-z0-9]{1,64}")


class Writer:
    """Collects the records of one look."""

    def __init__(self, source: str, cut: int) -> None:
        self.source, self.cut = source, cut  # cut: ms between borders
        self.records: list[UsageRecord] = []

    def add(self, thing: str, resource: str, names: Names, amount: int, start: int, end: int) -> None:
        """A record of `amount` (see `_PLACES`) from `start` to `end`, in ms; none for nothing."""
        if amount <= 0 or end <= start:
            return
        moment = as_moment(start)
        self.records.append(
            UsageRecord(
                source=self.source,
                key=f"{_shorten(thing)}:{resource}:{moment:%Y%m%dT%H%M%S}.{start % 1000:03d}Z",
                account=names.account,
                resource=resource,
                unit=RESOURCES[resource],
                quantity=decimal_of(amount, _PLACES.get(resource, _OTHERS)),
                start=moment,
                end=as_moment(end),
                deployment=names.deployment,
                deployment_name=names.deployment_name,
                plan=names.plan,
                shape=names.shape,
                project=names.project,
                user=names.user,
                details=names.details,
            )
        )


def write_task(writer: Writer, key: str, task: OpenTask, until: int, *, whole: bool = False) -> None:
    """Bill what the task holds until `until` (ms), cut at borders; with `whole`, up to the last one."""
    for start, end in pieces(task.billed, until, writer.cut):
        if whole and end % writer.cut:
            break
        for resource, rate in {"wall": 1, **task.rates}.items():
            writer.add(key, resource, task.names, rate * (end - start), start, end)
        task.billed = end


def _shorten(thing: str) -> str:
    """Ids of tasks are short; of a volume the digest of its place and name stands for it."""
    return thing if _PLAIN.fullmatch(thing) else hashlib.sha256(thing.encode()).hexdigest()[:24]
