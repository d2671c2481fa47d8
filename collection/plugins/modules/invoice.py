#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: invoices from usage and a tariff, without a console."""

from __future__ import annotations

DOCUMENTATION = r"""
module: invoice
short_description: Make invoices of usage by a tariff
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Rates usage records by a tariff and keeps invoices as JSON documents in a folder. No console is needed.
  - All sums are exact; each line of an invoice is rounded once, half to even, to the decimals of its
    currency. The same usage gives the same invoice, in whatever order and however often its records are
    given.
  - A final invoice gets the next number of the folder's series and never changes. Numbers have no gaps,
    also when several tasks run at once or one is killed. Each document holds the hash of the one before it,
    and the module refuses to work on a series in which something was changed.
  - A record is billed by one invoice, the one of the month in which it ends. What comes after that is final
    is billed with the next month, by the tariff of its own time.
options:
  state:
    description:
      - V(draft) keeps a draft for O(period). It has no number and is made anew with each run.
      - V(final) has a final invoice for O(period), which must be over. If there is one, it stays as it is.
        Without usage and minimum there is nothing to bill and no invoice.
      - V(void) says that the invoice O(number) is void. It keeps its number, and its usage can be billed
        again.
      - V(credited) has a credit note on the invoice O(number), for O(reason).
    type: str
    choices: [draft, final, void, credited]
    default: draft
  folder:
    description:
      - Folder of one series of documents, on the managed host. It is made with mode 0700 if it is not there.
    type: path
    required: true
  account:
    description:
      - Who pays, as usage records have it, for example V(user:ada) or V(project:physics). Records of
        others are left alone.
      - Needed with O(state=draft) and O(state=final).
    type: str
  period:
    description:
      - A calendar month in UTC, as V(2026-01). Needed with O(state=draft) and O(state=final).
    type: str
  tariffs:
    description:
      - The versions of one tariff, each a mapping or the path of a YAML or JSON file on the managed host.
        They must follow each other without gap or overlap; where they change within usage, it is split.
      - Numbers must be written in quotes, as V("0.05").
      - Needed with O(state=draft) and O(state=final).
    type: list
    elements: raw
  usage:
    description:
      - Usage records, each a mapping, and paths of files on the managed host with a record in JSON on each
        line.
      - A record has C(source), C(key), C(account), C(resource), C(unit), C(quantity), C(start) and C(end),
        and may have C(deployment), C(deployment_name), C(plan), C(shape), C(project), C(user) and C(details).
        Units are base units, such as V(core_second), V(byte_second), V(second) and V(byte).
      - A record with the source and key of another is that record again and not counted twice. If anything
        else in it is different, the module fails.
    type: list
    elements: raw
    default: []
  on_bad_record:
    description:
      - With V(fail), what is no usage record fails the task, before anything is written.
      - With V(report), it is left out and listed in RV(refused).
    type: str
    choices: [fail, report]
    default: fail
  customer:
    description:
      - Who gets the invoice; copied into it. Without a name, O(account) is the name.
    type: dict
    default: {}
    suboptions:
      name:
        description: The name.
        type: str
      address:
        description: The address; may have several lines.
        type: str
      tax_id:
        description: Number for taxes.
        type: str
      email:
        description: Address for mail.
        type: str
      groups:
        description: Groups by which a tariff may give discounts.
        type: list
        elements: str
  supplier:
    description:
      - Who sends it, if the tariff does not say so; copied into it.
    type: dict
    suboptions:
      name:
        description: The name.
        type: str
        required: true
      address:
        description: The address; may have several lines.
        type: str
      tax_id:
        description: Number for taxes.
        type: str
      email:
        description: Address for mail.
        type: str
  prefix:
    description:
      - Put before the six digits of a new number.
    type: str
    default: ""
  issued:
    description:
      - Day of a new document, as V(2026-02-01). If not set, today in UTC. It cannot be before the day of the
        document before it.
    type: str
  number:
    description:
      - Number of the invoice. Needed with O(state=void) and O(state=credited).
    type: str
  reason:
    description:
      - Why it is void or corrected; stands in the document. A credit note with the same reason on the same
        invoice is not made again.
      - Needed with O(state=void) and O(state=credited).
    type: str
  amounts:
    description:
      - How much of which line is given back, before discount and tax. Keys are places in the invoice's lines,
        from 0, values are amounts in quotes. Discount and tax are given back as they were billed.
      - If not set, all that is left of the invoice.
    type: dict
attributes:
  check_mode:
    support: full
    description: Returns the document that would be made, with its number, and writes nothing.
  diff_mode:
    support: full
    description: Shows how the document changes.
  idempotent:
    support: full
    description: Run again with the same options, it changes nothing.
"""

EXAMPLES = r"""
- name: Have an invoice for last month
  labyard.platform.invoice:
    state: final
    folder: /var/lib/billing/invoices
    account: project:physics
    period: 2026-01
    customer:
      name: Institute of Physics
      address: "1 Example Road\nExampleton"
      groups: [university]
    supplier:
      name: Computing Centre
    prefix: "CC-"
    tariffs:
      - name: standard
        currency: EUR
        valid_from: 2026-01-01
        tax: {name: VAT, percent: "19"}
        minimum: "5.00"
        discounts:
          - {name: University, percent: "20", groups: [university]}
        prices:
          - {name: Processor, resource: cpu, model: unit, per: core_hour, price: "0.04"}
          - name: Memory
            resource: memory
            model: graduated
            per: GiB_hour
            tiers:
              - {up_to: "1000", price: "0.005"}
              - {price: "0.004"}
    usage:
      - /var/lib/billing/usage-2026-01.jsonl
  register: january

- name: Say what is to be paid
  ansible.builtin.debug:
    msg: "{{ january.invoice.number }}: {{ january.invoice.total }} {{ january.invoice.currency }}"

- name: Give back a part of the first line
  labyard.platform.invoice:
    state: credited
    folder: /var/lib/billing/invoices
    number: CC-000001
    reason: The notebook could not be reached on the 3rd of January
    amounts: {0: "1.20"}

- name: Bill January anew
  labyard.platform.invoice:
    state: void
    folder: /var/lib/billing/invoices
    number: CC-000007
    reason: Sent to the wrong institute
"""

RETURN = r"""
invoice:
  description:
    - The document. Amounts, quantities and prices are text.
    - C(net) is C(subtotal) - C(discount) + C(minimum); C(total), what is to be paid, is C(net) + C(tax) -
      C(credit). Of a credit note, they are what is given back.
    - Empty where there is nothing to bill.
  returned: success
  type: dict
  contains:
    kind:
      description: V(invoice) or V(credit_note).
      type: str
    number:
      description: The number; empty for a draft.
      type: str
    lines:
      description:
        - One for each price, deployment and version of the tariff, with C(quantity), C(unit), C(unit_price),
          C(amount), C(start), C(end), the number of C(records), and in C(steps) how the amount came about.
      type: list
      elements: dict
    discounts:
      description: Name, percentage, base and amount of each discount, and the places of its lines.
      type: list
      elements: dict
    taxes:
      description: Name, percentage, base and amount of each tax, and the places of its lines.
      type: list
      elements: dict
    total:
      description: What is to be paid, in C(currency).
      type: str
    due:
      description: The day by which it is to be paid.
      type: str
file:
  description: The file of the document.
  returned: success
  type: str
state:
  description: V(draft), V(final) or V(void); empty where there is nothing to bill.
  returned: success
  type: str
counts:
  description:
    - Numbers of records. C(billed) are in the document, C(late) were used before the period or came after it
      was final, C(later) end after the period, C(known) were given twice or are billed already.
  returned: with O(state=draft) and O(state=final)
  type: dict
refused:
  description: What was left out, with O(on_bad_record=report).
  returned: with O(state=draft) and O(state=final)
  type: list
  elements: dict
  contains:
    place:
      description: Where it stands, as V(usage[2]) or V(/var/lib/billing/usage.jsonl:17).
      type: str
    reason:
      description: What is wrong.
      type: str
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import (
    BillingError,
    TariffError,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.intake import Intake
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoicing import (
    Made,
    Order,
    make_credit_note,
    make_draft,
    make_final,
    make_void,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from ansible_collections.labyard.platform.plugins.module_utils._billing.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import read_decimal
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party, read_party
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, read_tariff


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    party = {name: {"type": "str"} for name in ("name", "address", "tax_id", "email")}
    groups = {"type": "list", "elements": "str"}
    return {
        "state": {"type": "str", "choices": ["draft", "final", "void", "credited"], "default": "draft"},
        "folder": {"type": "path", "required": True},
        "account": {"type": "str"},
        "period": {"type": "str"},
        "tariffs": {"type": "list", "elements": "raw"},
        "usage": {"type": "list", "elements": "raw", "default": []},
        "on_bad_record": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        "customer": {"type": "dict", "default": {}, "options": {**party, "groups": groups}},
        "supplier": {"type": "dict", "options": {**party, "name": {"type": "str", "required": True}}},
        "prefix": {"type": "str", "default": ""},
        "issued": {"type": "str"},
        "number": {"type": "str"},
        "reason": {"type": "str"},
        "amounts": {"type": "dict"},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises BillingError with a sentence for the person who reads it."""
    ledger = Ledger(Path(options["folder"]))
    if options["state"] in ("draft", "final"):
        return _bill(ledger, options, check_mode)
    if options["state"] == "void":
        return _answer(make_void(ledger, options["number"], options["reason"], check_mode))
    amounts = options["amounts"]
    made = make_credit_note(
        ledger,
        options["number"],
        options["reason"],
        None if amounts is None else dict(_read_amount(*pair) for pair in amounts.items()),
        options["prefix"],
        _read_day(options["issued"]),
        check_mode,
    )
    return _answer(made)


def _bill(ledger: Ledger, options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """A draft or a final invoice."""
    order = Order(
        customer=_read_customer(options["customer"], options["account"]),
        supplier=_read_supplier(options["supplier"]),
        period=read_period(options["period"]),
        tariffs=[_read_tariff(item, f"tariffs[{place}]") for place, item in enumerate(options["tariffs"])],
        prefix=options["prefix"],
        issued=_read_day(options["issued"]),
    )
    if order.supplier.name == "" and not all(tariff.supplier for tariff in order.tariffs):
        raise BillingError("supplier: say who sends the invoice, here or in the tariff")
    intake = Intake(strict=options["on_bad_record"] == "fail")
    make = make_draft if options["state"] == "draft" else make_final
    made = make(ledger, order, intake.read(options["usage"]), check_mode)
    refused = [{"place": place, "reason": reason} for place, reason in intake.refused]
    return {**_answer(made), "counts": made.counts, "refused": refused}


def _answer(made: Made) -> dict[str, Any]:
    return {
        "changed": made.changed,
        "invoice": dict(made.after or {}),
        "file": made.path,  # of a `path`, Ansible would add owner, mode and a `state` of its own
        "state": made.state,
        "diff": {"before": _text(made.before), "after": _text(made.after), "after_header": made.path},
    }


def _text(document: Any) -> str:
    return "" if document is None else json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _read_tariff(item: object, where: str) -> Tariff:
    """A tariff from a mapping or a file."""
    if isinstance(item, str):
        where = item
        try:
            item = yaml.safe_load(Path(item).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise TariffError(f"{where}: cannot be read: {error}") from error
    try:
        return read_tariff(item)
    except BillingError as error:
        raise TariffError(f"{where}: {error}") from error


def _read_customer(given: dict[str, Any], account: str) -> Party:
    found = {name: value for name, value in given.items() if value is not None}
    return read_party({"name": account, **found, "account": account}, "customer")


def _read_supplier(given: dict[str, Any] | None) -> Party:
    if given is None:
        return Party("")
    return read_party({name: value for name, value in given.items() if value is not None}, "supplier")


def _read_day(value: str | None) -> date:
    if value is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise BillingError(f"issued: {value!r} is no day as 2026-02-01 is one") from error


def _read_amount(place: object, amount: object) -> tuple[int, Any]:
    text = str(place)
    if not text.isdecimal():
        raise BillingError(f"amounts.{text}: the place of a line is a whole number from 0")
    return int(text), read_decimal(amount, f"amounts.{text}")


def main() -> None:
    """Run the module."""
    billing, correcting = ["account", "period", "tariffs"], ["number", "reason"]
    run_module(
        argument_spec(),
        run,
        required_if=[
            ("state", "draft", billing),
            ("state", "final", billing),
            ("state", "void", correcting),
            ("state", "credited", correcting),
        ],
    )


if __name__ == "__main__":
    main()
