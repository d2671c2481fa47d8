"""Usage and what it costs: exact, and only for those who may see it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from labyard.billing.accounts import make_account
from labyard.models import db
from tests.unit.pages.billing_data import bill, january, make_tariff, record, take

NONE = "\u2013"
JANUARY = "/costs?from=2026-01-01&to=2026-01-31"


def words(page: str) -> str:
    """The text of a page, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def table_of(page: str, caption: str) -> list[list[str]]:
    """The cells of the table that begins with `caption`, row by row."""
    found = re.search(rf"<caption[^>]*>{caption}.*?</table>", page, re.DOTALL)
    assert found, f"the page has no table {caption!r}"
    rows = re.findall(r"<tr.*?</tr>", found.group(), re.DOTALL)
    return [
        [words(cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows
    ]


def test_costs_when_there_is_no_billing_then_no_page_leads_there_but_an_admins(maria, make_person, sign_in):
    assert 'href="/costs"' not in maria.get("/deployments").text
    assert 'href="/costs"' in sign_in(make_person("root", is_admin=True)).get("/deployments").text


def test_costs_when_nothing_was_used_then_says_so(app, maria):
    make_tariff(app)
    page = maria.get("/costs")
    assert page.status_code == 200
    assert "Nothing was used in this time" in page.text
    assert 'href="/costs"' in maria.get("/").text


def test_costs_when_looked_at_then_are_what_the_invoice_says(app, maria, make_person):
    make_person("ben")
    make_tariff(app)
    take(app, january())
    page = maria.get(JANUARY).text
    # 5 core-hours at 0.04, 10 GiB-hours at 0.01 and 6 at 0.005
    assert table_of(page, "Usage and cost by deployment")[1:] == [
        ["Größe-Ж", "5", "16", "0.33 EUR"],
        ["Total", "5", "16", "0.33 EUR"],
    ]
    number = bill(app)
    assert "0.33 EUR" in words(maria.get(f"/costs/invoices/{number}").text)
    assert "0.33 EUR" in words(maria.get(JANUARY).text), "what was billed costs the same afterwards"


def test_costs_when_asked_by_day_then_days_add_up_with_tiers(app, maria):
    make_tariff(app)
    take(app, january())
    rows = {row[0]: row for row in table_of(maria.get(JANUARY).text, "Usage and cost by day")}
    assert rows["2026-01-05"] == ["2026-01-05", "2", "8", "0.16 EUR"]  # 0.08 + 8 x 0.01
    assert rows["2026-01-06"] == ["2026-01-06", "3", "8", "0.17 EUR"]  # 0.12 + 2 x 0.01 + 6 x 0.005
    only = maria.get("/costs?from=2026-01-06&to=2026-01-06").text
    assert table_of(only, "Usage and cost by deployment")[-1] == ["Total", "3", "8", "0.17 EUR"]


def test_costs_when_another_looks_then_sees_only_their_own(app, maria, make_person, sign_in):
    make_person("ben")
    make_tariff(app)
    take(app, january())
    page = maria.get(f"{JANUARY}&by=user").text
    assert "ben" not in words(page)
    assert [row[0] for row in table_of(page, "Usage and cost by user")[1:]] == ["maria", "Total"]
    admin = sign_in(make_person("root", is_admin=True)).get(f"{JANUARY}&by=user").text
    assert table_of(admin, "Usage and cost by user")[1:] == [
        ["maria", "5", "16", "0.33 EUR"],
        ["ben", "3", NONE, "0.12 EUR"],
        ["Total", "8", "16", "0.45 EUR"],
    ]


def test_costs_when_an_account_pays_for_a_project_then_its_people_see_all_of_it(
    app, maria, make_person, sign_in
):
    ben = sign_in(make_person("ben"))
    make_tariff(app)
    with app.app_context():
        make_account(db.session, {"name": "physics", "people": ["maria"], "projects": ["default"]})
        db.session.commit()
    take(app, january())
    assert table_of(maria.get(f"{JANUARY}&by=user").text, "Usage and cost by user")[-1][-1] == "0.45 EUR"
    assert table_of(ben.get(f"{JANUARY}&by=user").text, "Usage and cost by user")[-1][-1] == "0.12 EUR"


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("plan=notebook", "0.33 EUR"),
        ("plan=other", None),
        ("deployment=abcd1234", "0.33 EUR"),
        ("project=default&by=project", "0.33 EUR"),
        ("by=resource", "0.33 EUR"),
        ("by=plan", "0.33 EUR"),
    ],
)
def test_costs_when_filtered_then_total_is_of_what_fits(app, maria, query, total):
    make_tariff(app)
    take(app, [one for one in january() if one["user"] == "maria"])
    page = maria.get(f"{JANUARY}&{query}").text
    if total is None:
        assert "Nothing was used in this time" in page
    else:
        assert table_of(page, "Usage and cost by")[-1][-1] == total


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("from=2001-01-01&to=2026-01-01", "to"),
        ("to=26-1-1", "to"),
    ],
)
def test_costs_when_days_are_wrong_then_says_so_at_the_field(app, maria, query, field):
    make_tariff(app)
    answer = maria.get(f"/costs?{query}")
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert re.search(rf'<input[^>]* id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert maria.get(f"/costs/usage.csv?{query}").status_code == 422


def test_costs_when_no_tariff_is_valid_then_usage_is_shown_and_the_reason(app, maria):
    make_tariff(app, valid_from="2026-06-01")
    take(app, january()[:1])
    page = maria.get(JANUARY).text
    assert table_of(page, "Usage and cost by deployment")[-1] == ["Total", "2", NONE]
    assert "Without a cost: user:maria: " in page


def test_costs_when_downloaded_then_csv_has_the_same_numbers_and_runs_nothing(app, maria):
    make_tariff(app)
    take(app, [record("a", "2026-01-05T10:00", "2026-01-05T11:00", deployment_name="=HYPERLINK(1)")])
    answer = maria.get(JANUARY.replace("/costs?", "/costs/usage.csv?"))
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [
        ["deployment", "name", "cpu (core_hour)", "cost (EUR)"],
        ["abcd1234", "'=HYPERLINK(1)", "2.0000", "0.08"],
        ["Total", "", "2.0000", "0.08"],
    ]


def test_costs_when_names_hold_markup_then_it_is_text(app, maria):
    make_tariff(app)
    take(
        app,
        [record("a", "2026-01-05T10:00", "2026-01-05T11:00", deployment_name="<script>alert(1)</script>")],
    )
    assert "<script>alert" not in maria.get(JANUARY).text


def test_plots_when_shown_then_have_words_and_a_table_beside(app, maria):
    make_tariff(app)
    take(app, january())
    page = maria.get(JANUARY).text
    assert page.count('<svg viewBox="0 0 640 190" role="img"') == 3
    assert "<title>2026-01-06: 3 core-hours</title>" in page
    assert "0.33 EUR in all; most at 2026-01-06, 0.17 EUR." in words(page)
    assert " style=" not in page
    assert "<caption" in page


def test_forecast_when_something_runs_then_it_goes_on_to_the_months_end(app, maria):
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now - timedelta(hours=1)
    make_tariff(app)
    form = "%Y-%m-%dT%H:%M"
    take(app, [record("a", f"{start:{form}}", f"{now:{form}}", "2")])
    page = words(maria.get("/costs").text)
    assert "0.08 EUR" in page  # this hour, and an hour of what runs
    month_end = (now.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    hours = 1 + (month_end - now) // timedelta(hours=1) if start.month == now.month else 0
    if hours:
        expected = f"{hours * 8 // 100}.{hours * 8 % 100:02} EUR"
        assert f"Forecast to {month_end - timedelta(days=1):%Y-%m-%d} {expected}" in page
    assert "Running now 1" in page


def test_forecast_when_the_deployment_was_stopped_then_it_does_not_go_on(
    app, maria, make_plan, make_deployment
):
    make_plan()
    number = make_deployment("notes", health="stopped")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    make_tariff(app)
    form = "%Y-%m-%dT%H:%M"
    past = f"{now - timedelta(hours=1):{form}}"
    take(app, [record("a", past, f"{now:{form}}", "2", deployment=number)])
    assert "Measured until" not in words(maria.get("/costs").text)
