"""Correcting final invoices on pages: void and credit notes, by the services that REST uses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.billing.payments import NewPayment, pay_invoice
from labyard.models import AuditEntry, Invoice, db
from tests.unit.pages.billing_data import bill, january, make_tariff, take
from tests.unit.pages.test_pages_costs import table_of, words


@pytest.fixture
def number(app, maria) -> str:
    """A final invoice of maria's: 0.20 of cores, 0.13 of memory, and 19 % tax."""
    make_tariff(app)
    take(app, january())
    return bill(app)


@pytest.fixture
def root(make_person, sign_in) -> FlaskClient:
    return sign_in(make_person("root", is_admin=True))


def send(browser: FlaskClient, path: str, **form: str) -> Any:
    """Send the form of a page as it stands there, with changes."""
    version = re.search(r'name="version" value="(\d+)"', browser.get(path).text)
    return browser.post(path, data={"version": version[1] if version else "", **form})


def invoice_of(app, number: str) -> Invoice:
    with app.app_context():
        return db.session.scalars(select(Invoice).where(Invoice.number == number)).one()


def trail(app) -> list[tuple[str, str, dict[str, str]]]:
    with app.app_context():
        wanted = ("invoice void", "credit note made")
        rows = db.session.scalars(select(AuditEntry).where(AuditEntry.action.in_(wanted)))
        return [(row.username, row.action, row.detail) for row in rows]


def test_corrections_when_another_asks_then_are_refused_and_not_offered(app, maria, number):
    for path in ("void", "credit"):
        assert maria.get(f"/costs/invoices/{number}/{path}").status_code == 403
        assert maria.post(f"/costs/invoices/{number}/{path}", data={"reason": "x"}).status_code == 403
    assert f"/costs/invoices/{number}/void" not in maria.get(f"/costs/invoices/{number}").text
    assert invoice_of(app, number).state == "finalized"


def test_void_when_a_reason_is_given_then_keeps_its_number_and_frees_its_usage(app, root, number):
    page = root.get(f"/costs/invoices/{number}").text
    assert f'href="/costs/invoices/{number}/void"' in page
    answer = send(root, f"/costs/invoices/{number}/void", reason=" wrong address ")
    assert answer.status_code == 303
    found = invoice_of(app, number)
    assert (found.state, found.number, found.void_reason) == ("void", number, "wrong address")
    after = root.get(f"/costs/invoices/{number}").text
    assert "wrong address" in after
    assert f'href="/costs/invoices/{number}/void"' not in after
    detail = {"invoice": number, "account": "user:maria", "reason": "wrong address"}
    assert trail(app) == [("root", "invoice void", detail)]
    assert bill(app) == "L-000002"


@pytest.mark.parametrize("path", ["void", "credit"])
def test_correction_when_the_reason_is_missing_then_says_so_at_the_field(app, root, number, path):
    answer = send(root, f"/costs/invoices/{number}/{path}", reason=" ")
    assert answer.status_code == 422
    assert 'id="reason-error"' in answer.text
    assert re.search(r'<input[^>]* id="reason"[^>]*aria-invalid="true"', answer.text)
    assert invoice_of(app, number).state == "finalized"
    assert trail(app) == []


def test_void_when_something_was_paid_then_says_what_to_do(app, root, number):
    with app.app_context():
        found = db.session.scalars(select(Invoice).where(Invoice.number == number)).one()
        pay_invoice(db.session, found, NewPayment(found.total, "EUR"))
        db.session.commit()
    page = root.get(f"/costs/invoices/{number}/void").text
    assert "was paid or credited. Give back the rest by a credit note." in words(page)
    assert "<form method" not in page.split("<main")[1]
    answer = root.post(f"/costs/invoices/{number}/void", data={"reason": "x", "version": "99"})
    assert answer.status_code == 409


def test_credit_when_lines_are_chosen_then_gives_back_their_amounts_with_tax(app, root, number):
    path = f"/costs/invoices/{number}/credit"
    rows = table_of(root.get(path).text, "Lines; amounts in EUR")
    assert [row[1:3] for row in rows[1:]] == [["0.20", "0.20"], ["0.13", "0.13"]]
    answer = send(root, path, reason="was down", what="some", **{"line-1": " 0.05 ", "line-2": ""})
    assert answer.status_code == 303
    note = invoice_of(app, "L-000002")
    assert (note.kind, note.document["net"], note.document["total"]) == ("credit_note", "0.05", "0.06")
    detail = {"invoice": "L-000002", "account": "user:maria", "corrects": number}
    assert trail(app) == [("root", "credit note made", detail)]
    assert [row[2] for row in table_of(root.get(path).text, "Lines; amounts in EUR")[1:]] == ["0.15", "0.13"]
    rest = send(root, path, reason="the rest", what="all")
    assert rest.status_code == 303
    assert invoice_of(app, number).credited == invoice_of(app, number).total
    assert "Nothing is left of" in words(root.get(path).text)


@pytest.mark.parametrize(
    ("form", "field", "text"),
    [
        ({"line-1": "many"}, "line-1", "is no amount as 12.50 is one"),
        ({"line-1": "-0.01"}, "line-1", "is no amount as 12.50 is one"),
        ({"line-2": "9"}, "line-2", "9"),
        ({"line-1": "0"}, "line-1", "0 is no amount above 0 of EUR"),
        ({}, "what", "at least one line"),
    ],
)
def test_credit_when_an_amount_is_wrong_then_says_so_at_its_line(app, root, number, form, field, text):
    answer = send(root, f"/costs/invoices/{number}/credit", reason="was down", what="some", **form)
    assert answer.status_code == 422
    error = re.search(rf'id="{field}-error">(.*?)</p>', answer.text, re.DOTALL)
    assert error
    assert text in words(error[1])
    assert 'value="was down"' in answer.text
    assert invoice_of(app, number).credited == 0


def test_credit_when_the_line_is_none_of_the_invoice_then_is_refused_in_words(app, root, number):
    answer = send(root, f"/costs/invoices/{number}/credit", reason="x", what="some", **{"line-9": "0.01"})
    assert answer.status_code == 422
    assert f"{number} has 2 lines" in words(answer.text)


def test_credit_when_the_form_is_sent_twice_then_counts_once(app, root, number):
    path = f"/costs/invoices/{number}/credit"
    version = str(invoice_of(app, number).version)
    form = {"reason": "was down", "what": "some", "line-1": "0.05", "version": version}
    assert root.post(path, data=form).status_code == 303
    again = root.post(path, data=form)
    assert again.status_code == 409
    assert "has changed since you saw it" in words(again.text)
    assert invoice_of(app, number).credited == invoice_of(app, "L-000002").total


def test_corrections_when_there_is_nothing_to_correct_then_pages_say_why(app, root, number):
    assert send(root, f"/costs/invoices/{number}/credit", reason="all", what="all").status_code == 303
    for path in ("void", "credit"):
        assert "is a credit note" in words(root.get(f"/costs/invoices/L-000002/{path}").text)
        assert root.get(f"/costs/invoices/L-000099/{path}").status_code == 404
