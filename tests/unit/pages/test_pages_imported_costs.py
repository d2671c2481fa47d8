"""What reports of others say, on the page of costs: beside our own, never mixed up with it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import read_mapping
from labyard.billing.imported_costs import take_report
from labyard.models import Deployment, db
from tests.unit.pages.billing_data import january, make_tariff, take
from tests.unit.pages.test_pages_costs import JANUARY, NONE, table_of, words

MAPPING = {
    "columns": {name: name for name in ("usage_date", "cost", "user", "project", "datalab_id", "currency")},
}
LINES = (
    "usage_date,cost,user,project,datalab_id,currency\n"
    "2026-01-05,1.00,maria,default,abcd1234,EUR\n"
    "2026-01-05,0.50,maria,default,abcd1234,EUR\n"
    "2026-01-07,2.25,maria,default,bucket-1,USD\n"
    "2026-01-07,4.00,ben,other,bucket-2,EUR\n"
)


@pytest.fixture
def imported(app, maria, make_person) -> None:
    """A report of the cloud and one of the store, beside January's usage."""
    make_person("ben")
    make_tariff(app)
    take(app, january())
    with app.app_context():
        for source, text in (
            ("cloud", LINES),
            ("store", LINES.splitlines()[0] + "\n2026-01-08,3.00,maria,,,EUR\n"),
        ):
            lines = [line.encode() for line in text.splitlines(keepends=True)]
            assert take_report(db.session, source, lines, read_mapping(MAPPING)).refused == []
        db.session.commit()


def test_costs_when_reports_say_more_then_stand_in_a_column_of_their_own(app, maria, imported):
    page = maria.get(JANUARY).text
    assert table_of(page, "Usage and cost by deployment")[1:] == [
        ["The account as a whole", NONE, NONE, NONE, "3.00 EUR"],
        ["bucket-1", NONE, NONE, NONE, "2.25 USD"],
        ["Größe-Ж", "5", "16", "0.33 EUR", "1.50 EUR"],
        ["Total", "5", "16", "0.33 EUR", "4.50 EUR + 2.25 USD"],
    ]
    assert "Together: 4.83 EUR + 2.25 USD . What is imported" in words(page)
    days = {row[0]: row[-2:] for row in table_of(page, "Usage and cost by day")}
    assert days["2026-01-05"] == ["0.16 EUR", "1.50 EUR"]
    assert days["2026-01-07"] == [NONE, "2.25 USD"]
    assert "Imported costs by day in EUR" in page
    assert "Imported costs by day in USD" in page


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("source=usage", ["Total", "5", "16", "0.33 EUR"]),
        ("source=reports", ["Total", NONE, "4.50 EUR + 2.25 USD"]),
        ("source=report:store", ["Total", NONE, "3.00 EUR"]),
        ("source=report:cloud&deployment=abcd1234", ["Total", NONE, "1.50 EUR"]),
        ("project=default", ["Total", "5", "16", "0.33 EUR", "1.50 EUR + 2.25 USD"]),
        ("source=reports&by=resource", ["Total", NONE, "4.50 EUR + 2.25 USD"]),
        ("source=reports&plan=notebook", None),
    ],
)
def test_costs_when_filtered_by_source_then_show_it_alone(app, maria, imported, query, total):
    page = maria.get(f"{JANUARY}&{query}").text
    if total is None:
        assert "Nothing was used in this time" in page
    else:
        assert table_of(page, "Usage and cost by")[-1] == total
    assert "Report of cloud" in page or "source=usage" in query


def test_costs_when_the_deployment_is_ours_then_its_plan_and_name_are_known(
    app, maria, make_plan, make_deployment, imported
):
    make_plan()
    number = make_deployment("notes")
    with app.app_context():
        assert db.session.get(Deployment, number) is not None
        lines = [f"{LINES.splitlines()[0]}\n".encode(), f"2026-01-09,9.00,,,{number},EUR\n".encode()]
        take_report(db.session, "cloud", lines, read_mapping(MAPPING))
        db.session.commit()
    page = maria.get(f"{JANUARY}&source=reports&plan=notebook").text
    assert table_of(page, "Usage and cost by deployment")[1:] == [
        ["notes", NONE, "9.00 EUR"],
        ["Total", NONE, "9.00 EUR"],
    ]


def test_costs_when_another_looks_then_sees_only_what_is_theirs(app, maria, imported, make_person, sign_in):
    page = maria.get(f"{JANUARY}&by=user").text
    assert "ben" not in words(page)
    admin = sign_in(make_person("root", is_admin=True)).get(f"{JANUARY}&by=user&source=reports").text
    found = {row[0]: row[-1] for row in table_of(admin, "Usage and cost by user")}
    assert (found["ben"], found["Total"]) == ("4.00 EUR", "8.50 EUR + 2.25 USD")


def test_costs_when_downloaded_then_csv_has_what_is_imported(app, maria, imported):
    answer = maria.get(JANUARY.replace("/costs?", "/costs/usage.csv?") + "&by=project")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][-3:] == ["cost (EUR)", "imported (EUR)", "imported (USD)"]
    assert rows[-1][-3:] == ["0.33", "4.5", "2.25"]


def test_costs_when_shown_by_month_then_days_are_in_their_month(app, maria, imported):
    page = maria.get("/costs?from=2025-12-01&to=2026-03-31").text
    rows = {row[0]: row[-1] for row in table_of(page, "Usage and cost by month")}
    assert rows["2026-01"] == "4.50 EUR + 2.25 USD"
    assert rows["2026-02"] == NONE


def test_forecast_when_reports_say_something_of_this_month_then_is_a_part_of_its_own(app, maria):
    make_tariff(app)
    today = datetime.now(UTC).date()
    line = f"{LINES.splitlines()[0]}\n{today},7.00,maria,,,EUR\n"
    with app.app_context():
        lines = [text.encode() for text in line.splitlines(keepends=True)]
        assert take_report(db.session, "cloud", lines, read_mapping(MAPPING)).taken == 1
        db.session.commit()
    page = words(maria.get("/costs").text)
    left = (today.replace(day=1) + timedelta(days=32)).replace(day=1) - today - timedelta(days=1)
    assert f"This month so far 7.00 EUR {NONE} by usage here, 7.00 EUR imported" in page
    assert f"{7 + left.days}.00 EUR {NONE} by usage here, {7 + left.days}.00 EUR imported" in page
    assert "Imported costs go on as the last seven days of their report." in page
