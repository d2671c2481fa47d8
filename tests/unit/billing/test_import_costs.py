"""Cost reports: exact sums of days, bad lines aside with number and reason, nothing counted twice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import (
    LONGEST,
    split_lines,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import read_mapping
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import (
    BillingError,
    ImportCostsError,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.import_costs import (
    Imported,
    import_costs,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.known_lines import open_known_lines
from tests.unit.billing.strategies import cases

HEADER = "datalab_id,usage_date,product,usage_type,usage,cost,resource_id,tags"
DLAB = {"currency": "USD"}


def run_import(
    text: str | bytes, document: dict[str, Any] | None = None, store: Path | None = None
) -> Imported:
    """What becomes of a report."""
    data = text if isinstance(text, bytes) else text.encode()
    with open_known_lines(store) as known:
        return import_costs(split_lines(io.BytesIO(data)), read_mapping(document or DLAB), known)


def report(*lines: str, header: str = HEADER) -> str:
    """A report with DLab's columns."""
    return "\n".join([header, *lines]) + "\n"


def line(cost: str, day: str = "2026-01-10", datalab_id: str = "nb-1") -> str:
    """A line of it."""
    return f"{datalab_id},{day},EC2,BoxUsage,1.5,{cost},i-123,"


def test_days_when_summed_up_then_each_sum_is_exact() -> None:
    found = run_import(report(line("0.1"), line("0.2"), line("1E-10"), line("5", day="2026-01-11T23:00:00Z")))
    assert [
        (key.day, key.datalab_id, total.cost, total.usage, total.lines) for key, total in found.days()
    ] == [
        (date(2026, 1, 10), "nb-1", Decimal("0.3000000001"), Decimal("4.5"), 3),
        (date(2026, 1, 11), "nb-1", Decimal(5), Decimal("1.5"), 1),
    ]
    assert {key.currency for key, _ in found.days()} == {"USD"}


def test_line_when_one_of_many_is_bad_then_it_is_set_aside_and_the_rest_goes_on() -> None:
    good = [line("0.01", datalab_id=f"nb-{number}") for number in range(1000)]
    good[500] = line("free")
    found = run_import(report(*good))
    assert (found.taken, found.refused) == (999, 1)
    assert found.reasons == [(502, "cost: 'free' is no decimal number")]
    assert sum(total.cost for _, total in found.days()) == Decimal("9.99")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'nb,2026-01-10,"EC2,Box,1,1,i,', "no CSV"),  # a quote that is never closed
        (b"nb,2026-01-10,EC2,Box,1,1,i", "7 cells, where the header has 8"),
        (b"nb,2026-01-10,EC2,Box,1,1,i,,", "9 cells, where the header has 8"),
        (b"nb,2026-02-30,EC2,Box,1,1,i,", "usage_date: '2026-02-30' is no day as 2026-01-31 is one"),
        (b"nb,10.01.2026,EC2,Box,1,1,i,", "usage_date: '10.01.2026' is no day"),
        (b"nb,2026-01-10,EC2,Box,1,,i,", "cost: '' is no decimal number"),
        (b"nb,2026-01-10,EC2,Box,1,NaN,i,", "cost: 'NaN' is no decimal number"),
        (b"nb,2026-01-10,EC2,Box,1,1E+99999,i,", "cost: '1E\\+99999' is no decimal number"),
        (b'nb,2026-01-10,EC2,Box,1,"1,000.00",i,', "cost: '1,000.00' is no decimal number"),
        (b"nb,2026-01-10,EC2,Box,much,1,i,", "usage: 'much' is no decimal number"),
        (b"nb,2026-01-10,\xff,Box,1,1,i,", "no UTF-8 at byte 15"),
        (b"nb,2026-01-10,E\0C2,Box,1,1,i,x" + b"y" * LONGEST, f"longer than {LONGEST} bytes"),
    ],
)
def test_line_when_bad_then_the_reason_is_kept_and_the_next_is_taken(bad: bytes, reason: str) -> None:
    text = b"\n".join([HEADER.encode(), bad, line("2").encode(), b""])
    found = run_import(text)
    assert (found.taken, found.refused) == (1, 1)
    assert found.reasons[0][0] == 2
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.reasons[0][1])


def test_file_when_imported_again_then_nothing_is_counted_twice(tmp_path: Path) -> None:
    text = report(line("1"), line("2"))
    first = run_import(text, store=tmp_path / "known")
    again = run_import(text, store=tmp_path / "known")
    assert (first.taken, first.known) == (2, 0)
    assert (again.taken, again.known, dict(again.days())) == (0, 2, {})


def test_file_when_it_overlaps_another_then_only_what_is_new_is_counted(tmp_path: Path) -> None:
    run_import(report(line("1"), line("2")), store=tmp_path / "known")
    more = run_import(report(line("2"), line("3")), store=tmp_path / "known")
    assert (more.taken, more.known) == (1, 1)
    assert [total.cost for _, total in more.days()] == [3]


def test_lines_when_equal_in_one_file_then_each_counts_and_still_once(tmp_path: Path) -> None:
    text = report(line("1"), line("1"), line("1"))
    assert run_import(text, store=tmp_path / "known").taken == 3
    again = run_import(text + line("1") + "\n", store=tmp_path / "known")
    assert (again.taken, again.known) == (1, 3)


def test_files_when_imported_with_one_store_then_equal_lines_are_counted_for_each_file() -> None:
    text = report(line("1"), line("1")).encode()
    mapping = read_mapping(DLAB)
    with open_known_lines(None) as known:
        first, second = (import_costs(split_lines(io.BytesIO(text)), mapping, known) for _ in range(2))
    assert (first.taken, second.taken, second.known) == (2, 0, 2)


def test_number_when_written_otherwise_then_the_line_is_still_the_same(tmp_path: Path) -> None:
    run_import(report(line("1.50")), store=tmp_path / "known")
    assert run_import(report(line("1.5")), store=tmp_path / "known").known == 1


def test_line_id_when_it_comes_with_another_cost_then_the_line_is_set_aside(tmp_path: Path) -> None:
    document = {"currency": "EUR", "columns": {"line_id": "id", "usage_date": "day", "cost": "cost"}}
    run_import("id,day,cost\na,2026-01-10,1\n", document, tmp_path / "known")
    again = run_import("id,day,cost\na,2026-01-10,2\nb,2026-01-10,2\n", document, tmp_path / "known")
    assert (again.taken, again.known) == (1, 0)
    assert again.reasons == [(2, "line_id: 'a' was imported before with other content")]


def test_import_when_it_fails_halfway_then_nothing_is_known(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield from report(line("1")).encode().splitlines(keepends=True)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"), open_known_lines(tmp_path / "known") as known:
        import_costs(broken(), read_mapping(DLAB), known)
    assert run_import(report(line("1")), store=tmp_path / "known").taken == 1


@pytest.mark.parametrize(
    ("document", "text", "expected"),
    [
        ({"currency": "EUR", "delimiter": ";", "decimal_comma": True}, "1234,50", Decimal("1234.5")),
        ({"currency": "EUR", "delimiter": ";"}, "1234.50", Decimal("1234.5")),
        ({"currency": "EUR", "delimiter": ";"}, "-3", Decimal(-3)),
    ],
)
def test_number_when_of_a_country_then_it_is_read_as_said(
    document: dict[str, Any], text: str, expected: Decimal
) -> None:
    columns = {"usage_date": "Datum", "cost": "Betrag"}
    found = run_import(f"Datum;Betrag\n2026-01-10;{text}\n", {**document, "columns": columns})
    assert [total.cost for _, total in found.days()] == [expected]


@pytest.mark.parametrize("text", ["1.234,50", "1.234", "1 234,50", "1,2,3"])
def test_number_when_it_could_be_another_then_it_is_set_aside(text: str) -> None:
    columns = {"usage_date": "day", "cost": "cost"}
    document = {"currency": "EUR", "delimiter": ";", "decimal_comma": True, "columns": columns}
    found = run_import(f"day;cost\n2026-01-10;{text}\n", document)
    assert found.reasons == [(2, f"cost: {text!r} is no decimal number")]


def test_date_when_a_format_is_given_then_it_is_read_by_it() -> None:
    document = {**DLAB, "date_format": "%d.%m.%Y"}
    found = run_import(report(line("1", day="31.01.2026"), line("1", day="2026-01-31")), document)
    assert [key.day for key, _ in found.days()] == [date(2026, 1, 31)]
    assert found.reasons == [(3, "usage_date: '2026-01-31' is no day as %d.%m.%Y is one")]


def test_currency_when_a_column_has_another_then_the_line_is_set_aside() -> None:
    columns = {"usage_date": "day", "cost": "cost", "currency": "currency"}
    text = "day,cost,currency\n2026-01-10,1,EUR\n2026-01-10,1,USD\n2026-01-10,1,XXX\n"
    both = run_import(text, {"columns": columns})
    assert sorted(key.currency for key, _ in both.days()) == ["EUR", "USD"]
    assert both.reasons == [(4, "currency: 'XXX' is none of ISO 4217")]
    one = run_import(text, {"columns": columns, "currency": "EUR"})
    assert one.reasons[0] == (3, "currency: USD, where the report is in EUR")


def test_header_when_it_begins_with_a_mark_of_utf_8_then_the_first_column_is_found() -> None:
    assert run_import(b"\xef\xbb\xbf" + report(line("1")).encode()).taken == 1


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a,b", "columns.datalab_id: 'datalab_id' is not in the header; there are a, b"),
        (HEADER + ",cost", "columns.cost: 'cost' is there more than once|columns.cost: 'cost' is there"),
        ("", "is not in the header; there are none"),
    ],
)
def test_header_when_a_column_is_missing_then_nothing_is_imported(header: str, words: str) -> None:
    with pytest.raises(ImportCostsError, match=words):
        run_import(report(header=header))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "currency: say which it is"),
        ({"currency": "EURO"}, "unknown currency 'EURO'"),
        ({"currency": "EUR", "columns": {"cost": "cost"}}, "columns.usage_date: is missing"),
        ({"currency": "EUR", "columns": {"price": "cost"}}, "columns.price: unknown; there are usage_date"),
        ({"currency": "EUR", "columns": {"cost": 3}}, "columns.cost: the name of a column is needed; got 3"),
        ({"currency": "EUR", "delimiter": ";;"}, "delimiter: one character"),
        ({"currency": "EUR", "decimal_comma": "yes"}, "decimal_comma: true or false"),
        ({"currency": "EUR", "aggregate": "day"}, "aggregate: unknown; there are columns, currency"),
    ],
)
def test_mapping_when_it_cannot_be_meant_so_then_it_is_refused(document: dict[str, Any], words: str) -> None:
    with pytest.raises(BillingError, match=words):
        read_mapping(document)


@cases
@given(
    st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 28)), max_size=30),
    st.integers(0, 30),
)
def test_costs_when_imported_in_overlapping_files_then_each_is_counted_once(
    found: list[tuple[int, int]], cut: int
) -> None:
    costs = [Decimal(cost).scaleb(-3) for cost, _ in found]
    lines = [
        line(f"{cost:f}", f"2026-01-{day:02}", f"nb-{place}")
        for place, (cost, (_, day)) in enumerate(zip(costs, found, strict=True))
    ]
    parts = [lines[:cut], lines, lines[cut:], list(reversed(lines))]
    with open_known_lines(None) as known:
        results = [
            import_costs(io.BytesIO(report(*part).encode()), read_mapping(DLAB), known) for part in parts
        ]
    total = sum(total.cost for result in results for _, total in result.days())
    assert total == sum(costs)
    assert sum(result.taken for result in results) == len(lines)


@cases
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_bytes_when_they_are_anything_then_each_line_is_taken_or_set_aside(junk: list[bytes]) -> None:
    found = run_import(b"\n".join([HEADER.encode(), *junk, line("1").encode()]))
    assert found.taken >= 1
    assert found.refused == len(found.reasons)
