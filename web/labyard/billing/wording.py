"""An invoice's document in words, for paper and page alike. Pure: the amounts are those of the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Row = tuple[str, str]


@dataclass(frozen=True)
class LineWords:
    """A line in words."""

    position: int  # from 1
    title: str
    notes: tuple[str, ...]  # plan, project, user; how a tiered amount came about
    period: str
    quantity: str  # with its unit
    unit_price: str
    amount: str
    records: int


def title_of(document: Mapping[str, Any]) -> str:
    """Invoice L-000001, Credit note L-000002, Draft of an invoice."""
    name = "Credit note" if document["kind"] == "credit_note" else "Invoice"
    return f"{name} {document['number']}" if document["number"] else f"Draft of an {name.lower()}"


def party_lines(party: Mapping[str, Any]) -> list[str]:
    """Name, address, tax number, mail and account; what is empty is left out."""
    lines = [party["name"], *party["address"].splitlines()]
    lines += [f"Tax number {party['tax_id']}"] if party["tax_id"] else []
    lines += [party["email"]] if party["email"] else []
    lines += [f"Account {party['account']}"] if party["account"] else []
    return [line for line in lines if line.strip()]


def top_rows(document: Mapping[str, Any]) -> list[Row]:
    """What stands above the lines: number, days, period, tariff; of a credit note, what it corrects."""
    period = document["period"]
    rows = [
        ("Number", document["number"]),
        ("Corrects", document["corrects"]),
        ("Reason", document["reason"]),
        ("Issued", document["issued"] or ""),
        ("Due", (document["due"] or "") if document["kind"] == "invoice" else ""),
        ("Period", span(period["start"], period["end"])),
        ("Tariff", document["tariff"]),
        ("Currency", document["currency"]),
    ]
    return [(name, value) for name, value in rows if value]


def line_rows(document: Mapping[str, Any]) -> list[LineWords]:
    """All lines, in the document's order."""
    return [
        LineWords(
            position=place,
            title=line["description"],
            notes=tuple(_notes(line)),
            period=span(line["start"], line["end"]),
            quantity=amount_of(line["quantity"], line["unit"]),
            unit_price="" if line["unit_price"] is None else plain(line["unit_price"]),
            amount=line["amount"],
            records=line["records"],
        )
        for place, line in enumerate(document["lines"], start=1)
    ]


def sum_rows(document: Mapping[str, Any]) -> list[Row]:
    """From the sum of the lines to the total; what is none is left out."""
    currency = document["currency"]
    rows = [("Sum of the lines", document["subtotal"])]
    rows += [
        (f"{share['name']}, {plain(share['percent'])} % of {share['base']}", f"-{share['amount']}")
        for share in document["discounts"]
    ]
    if Decimal(document["minimum"]):
        rows.append(("Up to the minimum", document["minimum"]))
    rows.append(("Net", document["net"]))
    rows += [
        (f"{share['name']}, {plain(share['percent'])} % of {share['base']}", share["amount"])
        for share in document["taxes"]
    ]
    rows += [(one["name"], f"-{one['amount']}") for one in document["credits"]]
    word = "To be paid" if document["kind"] == "invoice" else "Given back"
    return [
        *((name, f"{amount} {currency}") for name, amount in rows),
        (word, f"{document['total']} {currency}"),
    ]


def span(start: str, end: str) -> str:
    """Days of a half-open interval in UTC, its last day included; of less than a day, the times."""
    begin, stop = (datetime.fromisoformat(text) for text in (start, end))
    last = max(begin, stop - timedelta(microseconds=1))
    if begin.time() == datetime.min.time() == stop.time() or last.date() != begin.date():
        days = (f"{begin:%Y-%m-%d}", f"{last:%Y-%m-%d}")
        return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
    return f"{begin:%Y-%m-%d %H:%M} to {stop:%H:%M}"


def plain(number: str) -> str:
    """A number without zeros that say nothing: 744.5 for 744.500000000000."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def amount_of(quantity: str, unit: str) -> str:
    """600 core-hours, 1 month."""
    shown, word = plain(quantity), unit_word(unit)
    return f"{shown} {word.removesuffix('s') if shown == '1' else word}"


def unit_word(unit: str) -> str:
    """core-hours for core_hour, GiB-hours for GiB_hour."""
    thing, _, time = unit.partition("_")
    words = f"{_THINGS.get(thing, thing)}-{time}" if time else thing
    return words if words[-1] == "B" else f"{words}s"


def _notes(line: Mapping[str, Any]) -> list[str]:
    names = [f"{word} {line[name]}" for name, word in _WHO.items() if line[name]]
    notes = [", ".join(names)] if names else []
    steps: Sequence[Mapping[str, str]] = line["steps"]
    if len(steps) > 1 or any(Decimal(step["fee"]) for step in steps):
        notes += [_say_step(step) for step in steps]
    count = line["records"]
    notes.append(
        f"tariff {line['tariff']} of {line['tariff_version'][:10]},"
        f" {count} usage record{'' if count == 1 else 's'}"
    )
    return notes


_THINGS = {"gpu": "GPU"}
_WHO = {"plan": "plan", "shape": "size", "project": "project", "user": "user"}


def _say_step(step: Mapping[str, str]) -> str:
    fee = f" + {plain(step['fee'])}" if Decimal(step["fee"]) else ""
    return f"{plain(step['quantity'])} \u00d7 {plain(step['price'])}{fee} = {plain(step['amount'])}"
