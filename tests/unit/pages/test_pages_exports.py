"""Files in the formats of others, from a page: only of what the person may see."""

from __future__ import annotations

import re
from contextvars import Context
from typing import Any

from flask.testing import FlaskClient

from tests.unit.pages.billing_data import bill, january, make_tariff, take
from tests.unit.pages.test_pages_costs import words

FILE = "/costs/exports/file"


def download(browser: FlaskClient, query: str) -> Any:
    """The answer, read in the context in which it was begun."""
    return Context().run(lambda: _read(browser, query))


def _read(browser: FlaskClient, query: str) -> Any:
    answer = browser.get(f"{FILE}?{query}")
    assert answer.text is not None
    return answer


def choices(page: str) -> list[str]:
    found = re.search(r'<select[^>]*id="what".*?</select>', page, re.DOTALL)
    assert found
    return re.findall(r'<option value="([^"]*)"', found.group())


def test_exports_when_offered_then_admins_have_more(app, maria, make_person, sign_in):
    make_tariff(app)
    mine = choices(maria.get("/costs/exports").text)
    assert "usage:csv" in mine
    assert "invoices:focus" in mine
    assert "usage:eosc" not in mine
    root = sign_in(make_person("root", is_admin=True))
    assert {"usage:eosc", "usage:apel", "costs:csv"} <= set(choices(root.get("/costs/exports").text))
    assert maria.get(f"{FILE}?what=usage:eosc").status_code == 403


def test_file_when_downloaded_then_has_what_the_person_may_see_of_these_days(app, maria, make_person):
    make_person("ben")
    make_tariff(app)
    take(app, january())
    answer = download(maria, "what=usage:csv&from=2026-01-06&to=2026-01-06")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert 'filename="usage-csv.csv"' in answer.headers["Content-Disposition"]
    assert [line.split(",")[1] for line in answer.text.splitlines()[1:3]] == ["b", "n"]
    assert "ben" not in answer.text
    number = bill(app)
    assert number in download(maria, "what=invoices:jsonl&from=2026-01-01&to=2026-01-31").text
    assert number not in download(maria, "what=invoices:jsonl&from=2026-02-01").text


def test_file_when_the_eosc_has_no_names_then_says_which_setting_is_missing(app, maria, make_person, sign_in):
    answer = sign_in(make_person("root", is_admin=True)).get(f"{FILE}?what=usage:eosc")
    assert answer.status_code == 422
    error = re.search(r'id="what-error">(.*?)</p>', answer.text, re.DOTALL)
    assert error
    assert "LABYARD_EOSC_FILE is not set" in words(error[1])


def test_file_when_the_form_is_wrong_then_says_so_at_the_field(app, maria):
    for query, field in (
        ("what=usage:csv&from=soon", "from"),
        ("what=usage:csv&from=2026-01-02&to=2026-01-01", "to"),
        ("what=nothing", "what"),
    ):
        answer = maria.get(f"{FILE}?{query}")
        assert answer.status_code == 422
        assert f'id="{field}-error"' in answer.text
