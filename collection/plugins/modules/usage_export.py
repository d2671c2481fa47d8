#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: usage and invoices in the formats of others."""

from __future__ import annotations

DOCUMENTATION = r"""
module: usage_export
short_description: Write usage or invoices in the formats of others
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Writes usage records, or the lines of invoices, to a file in a format that other programs read. No console
    is needed.
  - The file is written whole or not at all, and only if it would differ. An export without anything in it
    makes no file in the formats V(apel) and V(eosc).
  - With O(state_path), an export goes on where the last one stopped. Run again too early, it does nothing.
  - Records are read one after the other, so a file of millions of them needs little memory. A record that
    comes twice counts once.
options:
  format:
    description:
      - V(csv) and V(jsonl) (JSON lines) have all that is known of usage or of charges. Cells of CSV that a
        spreadsheet would run are marked as text by an apostrophe.
      - V(focus) is CSV of FOCUS 1.2, the FinOps Open Cost and Usage Specification, made from O(invoices).
      - V(apel) is a message of APEL's cloud usage records 0.4, made from O(usage). A record holds all that a
        deployment used since it started. So give all usage of the deployments, and O(from) says from when on
        a deployment must have been used to be sent.
      - V(eosc) has the metrics of the EOSC's accounting, one in JSON on each line, for each user, group and
        day, made from O(usage). Days that are not over are left out.
      - V(dlab) is the billing report of DLab, made from O(invoices).
    type: str
    choices: [csv, jsonl, focus, apel, eosc, dlab]
    required: true
  dest:
    description:
      - The file, on the managed host. Its folder must be there.
      - C({from}) and C({to}) in it stand for the borders of the window, as in C(20260131T230000Z).
    type: path
    required: true
  mode:
    description:
      - Permissions of the file, in octal and in quotes.
    type: str
    default: "0600"
  usage:
    description:
      - Usage records, each a mapping; paths of files on the managed host with a record in JSON on each line;
        and results of M(labyard.platform.usage_info).
    type: list
    elements: raw
  invoices:
    description:
      - Documents of invoices and credit notes, as M(labyard.platform.invoice) returns them; paths of files
        with one or a list of them; and folders of that module, of which all documents are taken that are not
        void.
    type: list
    elements: raw
  on_bad_record:
    description:
      - With V(fail), what is no usage record fails the task, before anything is written.
      - With V(report), it is left out and listed in RV(refused).
    type: str
    choices: [fail, report]
    default: fail
  from:
    description:
      - Begin of the window, a time with its zone (ISO 8601). If not set, the end of the last export in
        O(state_path), or the beginning of all that is given.
      - Of usage in V(csv) and V(jsonl), records are taken that end after it and not after O(to). Of invoices,
        those whose period begins in the window.
    type: str
  to:
    description:
      - End of the window, not included. If not set, now.
    type: str
  state_path:
    description:
      - File that remembers up to when was exported, on the managed host. Use one for each O(format) and
        O(site). It is written after O(dest), so that what was interrupted is exported again.
    type: path
  site:
    description:
      - Name of the site. Needed for V(apel), as in GOCDB. In V(dlab), the service base name.
    type: str
    default: ""
  service:
    description:
      - For V(apel), which of the site's clouds it is.
    type: str
    default: ""
  cloud_type:
    description:
      - For V(apel), what runs the machines.
    type: str
    default: Docker Swarm
  groups:
    description:
      - Projects and what they are called elsewhere, FQANs for V(apel), ids of groups for V(eosc). What is not
        in it has no FQAN, and its own name at the EOSC.
    type: dict
    default: {}
  users:
    description:
      - User names and what they are called elsewhere, global names for V(apel), ids of users for V(eosc).
    type: dict
    default: {}
  metrics:
    description:
      - For V(eosc), which plan, shape or V(plan/shape) is counted as the metric of which id. What is not in
        it is not reported.
    type: dict
    default: {}
  provider:
    description:
      - For V(focus), who provides the platform, where an invoice names no supplier.
    type: str
    default: Labyard
  services:
    description:
      - For V(focus), category and subcategory of plans that are not V(Compute) and V(Containers).
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Makes the export, says whether the file would change, and throws it away.
  diff_mode:
    support: full
    description: Shows how the file changes. Of one of more than 64 KiB, its size and SHA-256.
  idempotent:
    support: full
    description: Run again with the same usage and the same window, it changes nothing.
seealso:
  - module: labyard.platform.usage_info
  - module: labyard.platform.invoice
"""

EXAMPLES = r"""
- name: Have January's usage for a spreadsheet
  labyard.platform.usage_export:
    format: csv
    usage: [/var/lib/usage/records.jsonl]
    from: "2026-01-01T00:00:00Z"
    to: "2026-02-01T00:00:00Z"
    dest: /srv/reports/usage-2026-01.csv

- name: Have all invoices for the FinOps team
  labyard.platform.usage_export:
    format: focus
    invoices: [/var/lib/billing/invoices]
    services:
      postgres: [Databases, Relational Databases]
    dest: /srv/reports/focus.csv
    mode: "0640"

- name: Hand what is new to the sender of EGI's accounting
  labyard.platform.usage_export:
    format: apel
    usage: [/var/lib/usage/records.jsonl]
    site: EXAMPLE-SITE
    groups: {physics: /vo.example.org/physics}
    state_path: /var/lib/usage/apel.json
    dest: "/var/spool/apel/outgoing/{to}"

- name: Write yesterday's metrics for the EOSC
  labyard.platform.usage_export:
    format: eosc
    usage: [/var/lib/usage/records.jsonl]
    metrics: {notebook/small: 668bdd5988e1d617b217ecb9}
    state_path: /var/lib/usage/eosc.json
    dest: "/var/lib/usage/eosc-{from}.jsonl"
  register: metrics

- name: Send them
  ansible.builtin.uri:
    url: https://api.accounting.example.org/accounting-system/installations/1/metrics
    method: POST
    headers:
      Authorization: "Bearer {{ lookup('ansible.builtin.env', 'EOSC_TOKEN') }}"
    body: "{{ item }}"
    body_format: json
    status_code: [201]
  loop: "{{ lookup('ansible.builtin.file', metrics.dest).splitlines() if metrics.lines else [] }}"
"""

RETURN = r"""
dest:
  description: Path of the file. Empty if there was nothing to export.
  returned: success
  type: str
  sample: /var/spool/apel/outgoing/20260201T000000Z
lines:
  description: How many lines the export has.
  returned: success
  type: int
checksum:
  description: SHA-256 of the export, hexadecimal. Empty if there was nothing to export.
  returned: success
  type: str
from:
  description: Begin of the window, ISO 8601 in UTC. Empty if it begins with all that is given.
  returned: success
  type: str
to:
  description: End of the window, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2026-02-01T00:00:00Z"
refused:
  description: Records that were left out.
  returned: success
  type: list
  elements: dict
  contains:
    place:
      description: Where it stands, as V(usage[2]) or V(/var/lib/usage/records.jsonl:17).
      type: str
    reason:
      description: What is wrong.
      type: str
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import ExportError, UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_files import (
    read_state,
    write_export,
    write_state,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_sources import (
    list_usage,
    read_invoices,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.exporting import (
    FORMATS,
    Names,
    Window,
    each_once,
    export_invoices,
    export_usage,
    make_window,
    read_services,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.intake import Intake
from ansible_collections.labyard.platform.plugins.module_utils._billing.known_lines import open_known_lines
from ansible_collections.labyard.platform.plugins.module_utils._billing.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import read_moment, show_moment

_MODE = re.compile("0?[0-7]{3}")


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        "format": {"type": "str", "choices": list(FORMATS), "required": True},
        "dest": {"type": "path", "required": True},
        "mode": {"type": "str", "default": "0600"},
        "usage": {"type": "list", "elements": "raw"},
        "invoices": {"type": "list", "elements": "raw"},
        "on_bad_record": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        "from": {"type": "str"},
        "to": {"type": "str"},
        "state_path": {"type": "path"},
        "site": {"type": "str", "default": ""},
        "service": {"type": "str", "default": ""},
        "cloud_type": {"type": "str", "default": "Docker Swarm"},
        "groups": {"type": "dict", "default": {}},
        "users": {"type": "dict", "default": {}},
        "metrics": {"type": "dict", "default": {}},
        "provider": {"type": "str", "default": "Labyard"},
        "services": {"type": "dict", "default": {}},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises BillingError with a sentence for the person who reads it."""
    if not _MODE.fullmatch(options["mode"]):
        raise ExportError(f'mode: {options["mode"]!r}: write three octal digits in quotes, as in "0640"')
    window = _read_window(options)
    answer = {
        "from": show_moment(window.since) if window.since else "",
        "to": show_moment(window.until),
        "refused": [],
    }
    if window.is_empty:
        return {"changed": False, "dest": "", "lines": 0, "checksum": "", **answer}
    dest = window.name_file(options["dest"])
    refused: list[tuple[str, str]] = []
    with _lines(options, window, refused) as lines:
        written = write_export(Path(dest), lines, int(options["mode"], 8), check_mode)
    if options["state_path"] and not check_mode:
        write_state(Path(options["state_path"]), options["format"], options["site"], window.until)
    return {
        **answer,
        "changed": written.changed or bool(options["state_path"]),
        "dest": dest if written.lines else "",
        "lines": written.lines,
        "checksum": written.checksum,
        "refused": [{"place": place, "reason": reason} for place, reason in refused],
        "warnings": [f"{len(refused)} records were left out; see refused"] if refused else [],
        "diff": {"before": written.before, "after": written.after, "after_header": dest},
    }


@contextmanager
def _lines(
    options: dict[str, Any], window: Window, refused: list[tuple[str, str]]
) -> Iterator[Iterator[str]]:
    """The lines of the export; what is refused is known when they have been read."""
    names = Names(
        **{name: options[name] for name in ("site", "service", "cloud_type", "provider")},
        groups=_read_texts(options["groups"], "groups"),
        users=_read_texts(options["users"], "users"),
        metrics=_read_texts(options["metrics"], "metrics"),
        services=read_services(options["services"]),
    )
    if options["invoices"] is not None:
        yield export_invoices(options["format"], read_invoices(options["invoices"]), window, names)
        return
    intake = Intake(strict=options["on_bad_record"] == "fail", refused=refused)
    with open_known_lines(None) as known:
        records = intake.read(list_usage(options["usage"]))
        yield export_usage(options["format"], each_once(records, known, intake), window, names)


def _read_window(options: dict[str, Any]) -> Window:
    form, path = options["format"], options["state_path"]
    since = _read_time(options["from"], "from")
    if since is None and path:
        since = read_state(Path(path), form, options["site"])
    return make_window(form, since, _read_time(options["to"], "to"), datetime.now(UTC))


def _read_time(text: str | None, name: str) -> datetime | None:
    try:
        return read_moment(text, name) if text else None
    except UsageError as error:
        raise ExportError(str(error)) from error


def _read_texts(found: dict[str, Any], name: str) -> dict[str, str]:
    for key, value in found.items():
        if not isinstance(value, str):
            raise ExportError(f"{name}.{key}: text is needed; got {value!r:.60}")
    return {str(key): value for key, value in found.items()}


def main() -> None:
    """Run the module."""
    given = [("usage", "invoices")]
    run_module(argument_spec(), run, mutually_exclusive=given, required_one_of=given)


if __name__ == "__main__":
    main()
