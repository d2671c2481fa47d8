"""Invoices on screen, on paper and as files: the document's own numbers, and only for its account."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pypdf
import pytest

from labyard.billing.accounts import change_account, find_account, make_account
from labyard.billing.correcting import credit
from labyard.billing.looking import get_invoice
from labyard.billing.pdf import write_pdf
from labyard.models import Invoice, User, db
from tests.unit.pages.billing_data import bill, january, make_tariff, record, take
from tests.unit.pages.test_pages_costs import table_of, words


@pytest.fixture
def number(app, maria) -> str:
    """A final invoice of maria's."""
    make_tariff(
        app, discounts=[{"name": "Rebate Ω", "percent": "10", "projects": ["default"]}], minimum="1.00"
    )
    take(app, january())
    with app.app_context():
        make_account(
            db.session,
            {"name": "supplier", "holder": "Łódź Centre", "address": "Ring 7\nTown", "tax_id": "PL 7"},
        )
        change_account(
            db.session,
            find_account(db.session, "user:maria"),
            {"holder": "Мария Ивановна", "address": "Straße 1", "email": "maria@example.org"},
        )
        db.session.commit()
    return bill(app)


def document_of(app, number: str) -> dict[str, Any]:
    with app.app_context():
        document: dict[str, Any] = db.session.query(Invoice).filter_by(number=number).one().document
    return document


def facts(value: Any) -> list[str]:
    """All texts of a document that a reader must find: names, numbers, days."""
    if isinstance(value, dict):
        skipped = ("resource", "model", "deployment", "unit", "price_name", "kind", "groups")
        return [text for key, part in value.items() if key not in skipped for text in facts(part)]
    if isinstance(value, list):
        return [text for part in value for text in facts(part)]
    return [value] if isinstance(value, str) and value else []


def shown(text: str) -> str:
    """How a fact reads: a number without zeros at its end, of a moment the day, of lines each."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", text):
        return text[:10]
    if re.fullmatch(r"\d+\.\d{4,}", text):
        return text.rstrip("0").rstrip(".")
    return text


def test_invoices_when_there_are_none_then_says_when_there_will_be(app, maria):
    make_tariff(app)
    assert "There are no invoices yet" in maria.get("/costs/invoices").text
    answer = maria.get("/costs/invoices?state=paid")
    assert "No invoice matches" in answer.text


def test_invoices_when_listed_then_have_number_state_and_total(app, maria, number):
    rows = table_of(maria.get("/costs/invoices").text, "Invoices and credit notes")
    total = document_of(app, number)["total"]
    assert rows[1][0] == number
    assert rows[1][1:4] == ["2026-01", "user:maria", "To be paid"]
    assert rows[1][5:] == [f"{total} EUR", f"{total} EUR"]


def test_invoice_when_it_is_anothers_then_is_not_found(app, number, make_person, sign_in):
    ben = sign_in(make_person("ben"))
    for path in ("", "/file.pdf", "/file.csv", "/file.json", "/lines/1", "/pay"):
        assert ben.get(f"/costs/invoices/{number}{path}").status_code == 404
    assert number not in ben.get("/costs/invoices").text
    assert sign_in(make_person("root", is_admin=True)).get(f"/costs/invoices/{number}").status_code == 200


def test_invoice_when_shown_then_has_every_fact_of_its_document(app, maria, number):
    page = words(maria.get(f"/costs/invoices/{number}").text)
    for fact in facts({**document_of(app, number), "period": {}}):
        for line in shown(fact).splitlines():
            assert line in page


def test_pdf_when_read_back_then_has_every_fact_of_its_document(app, maria, number):
    answer = maria.get(f"/costs/invoices/{number}/file.pdf")
    assert answer.content_type == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{number}.pdf"'
    read = pypdf.PdfReader(io.BytesIO(answer.data))
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in read.pages))
    document = document_of(app, number)
    for fact in facts({**document, "period": {}}):
        for line in shown(fact).splitlines():
            assert re.sub(r"\s+", "", line) in text
    assert "2026-01-01to2026-01-31" in text
    assert "МарияИвановна" in text
    assert read.metadata is not None
    assert read.metadata.title == f"Invoice {number}"


def test_pdf_when_made_twice_then_is_the_same(app, number):
    document = document_of(app, number)
    assert write_pdf(document) == write_pdf(document)


def test_pdf_when_a_sign_is_in_no_font_then_its_number_stands_there(app, number):
    document = document_of(app, number)
    document["customer"]["name"] = "山田"
    text = pypdf.PdfReader(io.BytesIO(write_pdf(document))).pages[0].extract_text()
    assert "[U+5C71][U+7530]" in text


def test_pdf_when_it_has_many_lines_then_goes_on_over_pages_with_its_sums(app, maria):
    make_tariff(app)
    take(
        app,
        [
            record(f"k{n}", "2026-01-05T10:00", "2026-01-05T11:00", "1", deployment=f"d{n:07}")
            for n in range(60)
        ],
    )
    number = bill(app)
    read = pypdf.PdfReader(io.BytesIO(maria.get(f"/costs/invoices/{number}/file.pdf").data))
    assert len(read.pages) > 2
    assert f"Page {len(read.pages)} of {len(read.pages)}" in read.pages[-1].extract_text()
    assert "2.86 EUR" in read.pages[-1].extract_text()  # 60 x 0.04, and 19 % of it


def test_files_when_asked_for_then_json_is_the_document_and_csv_adds_up(app, maria, number):
    document = document_of(app, number)
    assert json.loads(maria.get(f"/costs/invoices/{number}/file.json").data) == document
    rows = list(csv.DictReader(io.StringIO(maria.get(f"/costs/invoices/{number}/file.csv").text)))
    assert rows[-1]["invoice"] == "Total"
    assert rows[-1]["amount"] == document["total"]
    assert maria.get(f"/costs/invoices/{number}/file.exe").status_code == 404


def test_line_when_explained_then_its_records_add_up_to_its_quantity(app, maria, number):
    lines = document_of(app, number)["lines"]
    for position, line in enumerate(lines, start=1):
        page = maria.get(f"/costs/invoices/{number}/lines/{position}").text
        assert f"{line['amount']} EUR" in words(page)
        rows = table_of(page, "Usage records of this line")[1:]
        assert len(rows) == line["records"]
    page = words(maria.get(f"/costs/invoices/{number}/lines/1").text)
    assert "2, together 18000 core-seconds" in page
    assert "5 core-hours" in page
    assert maria.get(f"/costs/invoices/{number}/lines/9").status_code == 404


def test_credit_note_when_made_then_each_leads_to_the_other(app, maria, number):
    with app.app_context():
        person = db.session.query(User).filter_by(username="maria").one()
        note = str(credit(db.session, get_invoice(db.session, person, number), "was down").number)
        db.session.commit()
    page = maria.get(f"/costs/invoices/{note}").text
    assert f"Credit note {note}" in page
    assert f'href="/costs/invoices/{number}"' in page
    assert "was down" in page
    assert f'href="/costs/invoices/{note}"' in maria.get(f"/costs/invoices/{number}").text
    text = pypdf.PdfReader(io.BytesIO(maria.get(f"/costs/invoices/{note}/file.pdf").data)).pages[0]
    assert "was down" in text.extract_text()
    assert maria.get(f"/costs/invoices/{note}/lines/1").status_code == 200
