# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From usage or invoices to the lines of an export, whatever its format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .charges import Charge, list_charges
from .documents import Invoice
from .errors import ExportError
from .export_apel import ApelSite, write_apel
from .export_csv import write_charges_csv, write_usage_csv
from .export_dlab import DlabPeriod, write_dlab
from .export_eosc import EoscNames, write_eosc
from .export_focus import write_focus
from .export_jsonl import write_charges_jsonl, write_usage_jsonl
from .focus_columns import SERVICES, FocusNames
from .intake import Intake
from .known_lines import KnownLines
from .usage import UsageRecord, fingerprint, show_moment
from .windows import ending_between, start_of_day

FORMATS = ("csv", "jsonl", "focus", "apel", "eosc", "dlab")
OF_USAGE = ("csv", "jsonl", "apel", "eosc")
OF_INVOICES = ("csv", "jsonl", "focus", "dlab")


@dataclass(frozen=True, slots=True)
class Window:
    """[since, until); from the beginning where nothing is said."""

    since: datetime | None
    until: datetime
    ends_now: bool = False  # until is now, because nothing else was said

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be in it."""
        return self.since is not None and self.since >= self.until

    def name_file(self, path: str) -> str:
        """A path with its `{from}` and `{to}` filled in, as in 20260131T230000Z."""
        since = f"{self.since:{_IN_NAMES}}" if self.since else "start"
        return path.replace("{from}", since).replace("{to}", f"{self.until:{_IN_NAMES}}")


@dataclass(frozen=True, slots=True)
class Names:
    """What is called how where the export goes."""

    site: str = ""
    service: str = ""
    cloud_type: str = "Docker Swarm"
    provider: str = "Labyard"
    groups: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)  # of deployments, by id


def make_window(form: str, since: datetime | None, until: datetime | None, now: datetime) -> Window:
    """The window of a format: EOSC counts whole days. Raises ExportError if it ends before it begins."""
    ends_now = until is None
    until = until or now
    if since is not None and since > until:
        raise ExportError(f"from: {show_moment(since)} is after to, {show_moment(until)}")
    if form == "eosc":
        return Window(start_of_day(since) if since else None, start_of_day(until), ends_now)
    return Window(since, until, ends_now)


def export_usage(form: str, records: Iterable[UsageRecord], window: Window, names: Names) -> Iterator[str]:
    """Lines of usage. Raises ExportError for a format that needs costs."""
    if form == "csv":
        return write_usage_csv(ending_between(records, window.since, window.until))
    if form == "jsonl":
        return write_usage_jsonl(ending_between(records, window.since, window.until))
    if form == "apel":
        site = ApelSite(names.site, names.service, names.cloud_type, names.groups, names.users)
        return write_apel(records, site, window.since, window.until)
    if form == "eosc":
        if not names.metrics:
            raise ExportError("metrics: say which plan or shape is which metric of the EOSC")
        known = EoscNames(names.metrics, names.users, names.groups)
        return write_eosc(records, known, window.since, window.until)
    raise ExportError(f"format: {form} is made from invoices, because it shows costs; give invoices")


def export_invoices(form: str, invoices: Iterable[Invoice], window: Window, names: Names) -> Iterator[str]:
    """Lines of the invoices whose periods begin in the window. Raises ExportError for a format of usage."""
    chosen = (
        invoice
        for invoice in invoices
        if (window.since is None or invoice.period.start >= window.since)
        and invoice.period.start < window.until
    )
    if form == "csv":
        return write_charges_csv(_charges(chosen))
    if form == "jsonl":
        return write_charges_jsonl(_charges(chosen))
    if form == "focus":
        return write_focus(chosen, FocusNames(names.provider, names.services))
    if form == "dlab":
        last = None if window.ends_now else (window.until - timedelta(microseconds=1)).date()
        first = window.since.date() if window.since else None
        return write_dlab(
            _charges(chosen), DlabPeriod(names.site or names.provider, first, last), names.statuses
        )
    raise ExportError(f"format: {form} is made from usage records; give usage")


def each_once(
    records: Iterable[tuple[str, UsageRecord]], known: KnownLines, intake: Intake
) -> Iterator[UsageRecord]:
    """The records, each once, in constant memory.

    One with the key of another and other content is refused, as the intake refuses what is no record.
    """
    for place, record in records:
        key = hashlib.sha256(f"{record.source}\0{record.key}".encode()).digest()
        content = fingerprint(record).encode()
        before = known.add(key, content)
        if before is None:
            yield record
        elif before != content:
            intake.refuse(place, f"key: {record.key!r} of {record.source!r} came before with other content")


def read_services(found: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Category and subcategory by plan; raises ExportError that names the place."""
    services = {}
    for plan, pair in found.items():
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ExportError(f"services.{plan}: a category and a subcategory are needed; got {pair!r:.60}")
        category, subcategory = pair
        if subcategory not in SERVICES.get(category, ()):
            raise ExportError(f"services.{plan}: FOCUS 1.2 has no {subcategory!r:.40} of {category!r:.40}")
        services[str(plan)] = (category, subcategory)
    return services


def _charges(invoices: Iterable[Invoice]) -> Iterator[Charge]:
    for invoice in invoices:
        yield from list_charges(invoice)


_IN_NAMES = "%Y%m%dT%H%M%SZ"
