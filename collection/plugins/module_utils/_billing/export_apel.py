# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APEL's cloud usage records, version 0.4 (EGI, "Cloud Accounting"): one for each deployment.

A record holds all that a machine used since it started, and takes the place of what was sent of it before. So
the writer must be given all usage of a deployment, and `since` only chooses which are written.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from .errors import ExportError
from .usage import UsageRecord
from .windows import share_within

HEADER = "APEL-cloud-message: v0.4"
END = "%%"
#: In the order of the format's own table.
KEYS = (
    *("VMUUID", "SiteName", "CloudComputeService", "MachineName", "LocalUserId", "LocalGroupId"),
    *("GlobalUserName", "FQAN", "Status", "StartTime", "EndTime", "SuspendDuration", "WallDuration"),
    *("CpuDuration", "CpuCount", "NetworkType", "NetworkInbound", "NetworkOutbound", "PublicIPCount"),
    *("Memory", "Disk", "BenchmarkType", "Benchmark", "StorageRecordId", "ImageId", "CloudType"),
)
_INTEGERS = {
    *("StartTime", "EndTime", "SuspendDuration", "WallDuration", "CpuDuration", "CpuCount"),
    *("NetworkInbound", "NetworkOutbound", "PublicIPCount", "Memory", "Disk"),
}
_NEEDED = ("VMUUID", "SiteName", "MachineName")
_STATUSES = ("completed", "started", "suspended")
_GIGABYTE, _MEBIBYTE = 10**9, 1 << 20
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:labyard:deployment")

ApelRecord = dict[str, str | int | Decimal]


@dataclass(frozen=True, slots=True)
class ApelSite:
    """Who sends the records."""

    name: str  # of the site in GOCDB
    service: str = ""  # which of the site's clouds
    cloud_type: str = "Docker Swarm"
    groups: Mapping[str, str] = field(default_factory=dict)  # project to FQAN
    users: Mapping[str, str] = field(default_factory=dict)  # user name to the global identity


@dataclass(slots=True)
class _Machine:
    """What is summed up of a deployment. Amounts by resource, in base units."""

    source: str
    start: datetime
    latest: UsageRecord
    sums: dict[str, Fraction] = field(default_factory=dict)
    is_new: bool = False  # whether there is usage within the window
    goes_on: bool = False  # whether there is usage up to the end of the window, or beyond


def write_apel(
    records: Iterable[UsageRecord], site: ApelSite, since: datetime | None, until: datetime
) -> Iterator[str]:
    """The lines of one message: a record for each deployment with usage in [since, until); none without.

    Memory grows with the deployments, not with the records. Raises ExportError for values that the format
    cannot hold.
    """
    if not site.name:
        raise ExportError("site: APEL needs the site's name in GOCDB")
    machines: dict[tuple[str, ...], _Machine] = {}
    for record in records:
        _take(machines, record, since, until)
    chosen = sorted(
        (machine for machine in machines.values() if machine.is_new),
        key=lambda machine: (machine.start, machine.latest.deployment, machine.latest.key),
    )
    if chosen:
        yield HEADER + "\n"
    for machine in chosen:
        # Each record asks for its own group: none keeps that of the one before it.
        yield from show_apel(_describe(machine, site))


def show_apel(record: ApelRecord) -> Iterator[str]:
    """The lines of a record and its end; what is not known is left out."""
    for key in KEYS:
        if record.get(key, "") != "":
            yield f"{key}: {_clean(str(record[key]), key)}\n"
    yield END + "\n"


def read_apel(lines: Iterable[str]) -> Iterator[ApelRecord]:
    """The records of a message. Raises ExportError that names the line."""
    found: ApelRecord = {}
    for number, text in enumerate(lines, start=1):
        line = text.strip()
        if number == 1:
            if line != HEADER:
                raise ExportError(f"line 1: {line[:60]!r} is not {HEADER!r}")
        elif line == END:
            if missing := [key for key in _NEEDED if key not in found]:
                raise ExportError(f"line {number}: the record before it has no {missing[0]}")
            yield found
            found = {}
        elif line:
            key, _, value = (part.strip() for part in line.partition(":"))
            if key not in KEYS or key in found:
                raise ExportError(f"line {number}: {key[:60]!r} is no key of a record, or is there twice")
            found[key] = _read(key, value, number)
    if found:
        raise ExportError(f"the last record does not end with {END}: the message is not whole")


def _take(
    machines: dict[tuple[str, ...], _Machine], record: UsageRecord, since: datetime | None, until: datetime
) -> None:
    if record.start >= until:
        return
    key = (record.source, record.deployment or record.deployment_name, record.project, record.user)
    machine = machines.get(key)
    if machine is None:
        machine = machines[key] = _Machine(record.source, record.start, record)
    machine.start = min(machine.start, record.start)
    if (record.end, record.key) > (machine.latest.end, machine.latest.key):
        machine.latest = record
    part = Fraction(record.quantity)
    if record.end > until:
        part *= share_within(record, record.start, until)
    machine.sums[record.resource] = machine.sums.get(record.resource, Fraction(0)) + part
    machine.is_new = machine.is_new or since is None or record.end > since
    machine.goes_on = machine.goes_on or record.end >= until


def _describe(machine: _Machine, site: ApelSite) -> ApelRecord:
    latest, sums = machine.latest, machine.sums
    name = latest.deployment_name or latest.deployment or latest.account
    names = [machine.source, latest.deployment or latest.deployment_name, latest.project, latest.user]
    wall = sums.get("wall", Fraction(0))
    status = latest.details.get("status", "")
    if status not in _STATUSES:
        status = "started" if machine.goes_on else "completed"
    found: dict[str, str | int | None] = {
        "VMUUID": str(uuid.uuid5(_SPACE, json.dumps(names))),
        "SiteName": site.name,
        "CloudComputeService": site.service,
        "MachineName": name,
        "LocalUserId": latest.user,
        "LocalGroupId": latest.project,
        "GlobalUserName": site.users.get(latest.user),
        "FQAN": site.groups.get(latest.project),
        "Status": status,
        "StartTime": int(machine.start.timestamp()),
        "EndTime": int(latest.end.timestamp()) if status == "completed" else None,
        "WallDuration": round(wall),
        "CpuDuration": _whole(sums.get("cpu_used", sums.get("cpu"))),
        "CpuCount": max(1, round(sums["cpu"] / wall)) if wall and sums.get("cpu") else None,
        "NetworkInbound": _whole(sums.get("network_in"), _GIGABYTE),
        "NetworkOutbound": _whole(sums.get("network_out"), _GIGABYTE),
        "Memory": _mean(sums.get("memory"), wall, _MEBIBYTE),
        "Disk": _mean(sums.get("volume"), wall, _GIGABYTE),
        "ImageId": latest.details.get("image"),
        "CloudType": site.cloud_type,
    }
    return {key: value for key, value in found.items() if value is not None}


def _whole(amount: Fraction | None, unit: int = 1) -> int | None:
    return None if amount is None else round(amount / unit)


def _mean(amount: Fraction | None, seconds: Fraction, unit: int) -> int | None:
    """What was held on average, of so much times seconds."""
    return None if amount is None or not seconds else round(amount / seconds / unit)


def _clean(value: str, key: str) -> str:
    """A value that stays in its line and its record."""
    if len(value) > 255 or not value.isprintable():
        raise ExportError(f"{key}: at most 255 printable characters; got {value[:70]!r}")
    return re.sub("%(?=%)", "% ", value.strip())


def _read(key: str, value: str, number: int) -> str | int | Decimal:
    try:
        if key in _INTEGERS:
            return int(value)
        return Decimal(value) if key == "Benchmark" else value
    except (ValueError, ArithmeticError) as error:
        raise ExportError(f"line {number}: {key}: {value[:60]!r} is no number") from error
