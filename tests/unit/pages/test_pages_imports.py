"""The form for cost reports: what is wrong is said by line at its field, and what is good is kept once."""

from __future__ import annotations

import html
import re

import pytest

from labyard.app import create_app
from labyard.billing.imported_text import MOST_BYTES
from labyard.models import AuditEntry, ImportedCost, db
from tests.unit.pages.test_pages_costs import table_of, words

MAPPING = "columns:\n  usage_date: day\n  cost: amount\n  user: person\ncurrency: EUR\n"
FORM = "multipart/form-data; boundary=x"
GOOD = "day,amount,person\n2026-01-05,1.00,maria\n2026-01-07,2.50,maria\n"


@pytest.fixture
def root(maria, make_person, sign_in):
    """An admin's browser; maria is there."""
    return sign_in(make_person("root", is_admin=True))


def send(root, report: str | bytes = GOOD, mapping: str = MAPPING, source: str = "cloud"):
    content = report.encode() if isinstance(report, str) else report
    return root.post("/costs/imports", data=form_of(content, mapping, source), content_type=FORM)


def form_of(content: bytes, mapping: str = MAPPING, source: str = "cloud") -> bytes:
    """The form as a browser sends it; the test client would write a large one to a file of its own."""
    head = "--x\r\nContent-Disposition: form-data; name="
    texts = "".join(f'{head}"{k}"\r\n\r\n{v}\r\n' for k, v in (("source", source), ("mapping", mapping)))
    file = f'{head}"file"; filename="report.csv"\r\nContent-Type: text/csv\r\n\r\n'
    return texts.encode() + file.encode() + content + b"\r\n--x--\r\n"


def errors_of(page: str, field: str) -> str:
    found = re.search(rf'<p class="field-error" id="{field}-error">(.*?)</p>', page, re.DOTALL)
    assert found, f"nothing is said at {field}"
    return html.unescape(words(found[1]))


def kept(app) -> int:
    with app.app_context():
        return db.session.query(ImportedCost).count()


def test_report_when_it_is_good_then_is_taken_in_once_and_written_down(app, maria, root):
    assert "Nothing was imported yet" in root.get("/costs/imports").text
    assert send(root).status_code == 303
    page = root.get("/costs/imports").text
    assert "2 lines were taken in, 0 were known before." in page
    assert table_of(page, "Reports that were taken in")[1] == ["cloud", "2", "2026-01-05", "2026-01-07"]
    assert send(root).status_code == 303
    assert "0 lines were taken in, 2 were known before." in root.get("/costs/imports").text
    with app.app_context():
        (entry,) = db.session.query(AuditEntry).filter_by(action="costs imported").all()
        assert (entry.username, entry.detail) == ("root", {"source": "cloud", "lines": "2"})
    assert "3.50 EUR" in maria.get("/costs?from=2026-01-01&to=2026-01-31").text


def test_report_when_lines_are_wrong_then_they_are_said_and_the_others_are_kept(app, root):
    answer = send(root, f"{GOOD}yesterday,1,maria\n2026-01-08,much,maria\n2026-01-09\n2026-01-09,1,a\0b\n")
    assert answer.status_code == 422
    said = errors_of(answer.text, "file")
    for part in (
        "line 4: usage_date: 'yesterday' is no day",
        "line 5: cost: 'much' is no decimal number",
        "line 6: 1 cells, where the header has 3",
        "line 7: holds a zero byte",
    ):
        assert part in said
    assert "2 lines were taken in, 0 were known before, 4 were refused." in words(answer.text)
    assert 'value="cloud"' in answer.text
    assert "usage_date: day" in answer.text
    assert kept(app) == 2


def test_report_when_very_many_lines_are_wrong_then_some_are_said(app, root):
    said = errors_of(send(root, "day,amount,person\n" + "x,1,maria\n" * 60).text, "file")
    assert "line 51:" in said
    assert "line 52:" not in said
    assert "and 10 more lines" in said


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"source": ""}, "source", "1 to 64 printable characters"),
        ({"source": "Größe"}, "source", "1 to 64 printable characters"),
        ({"report": b""}, "file", "choose a file that is not empty"),
        ({"report": b"x" * (MOST_BYTES + 1)}, "file", "is the most. Cut it between lines"),
        ({"mapping": "columns:\n  usage_date: [\n"}, "mapping", "line 3:"),
        ({"mapping": "- one\n"}, "mapping", "names and values are needed"),
        ({"mapping": "currency: EUR\ncolumns:\n  price: x\n"}, "mapping", "line 3: unknown; there are"),
        ({"mapping": "currency: EURO\n"}, "mapping", "unknown currency"),
        ({"mapping": "1: 2\n"}, "mapping", "unknown; there are"),
        ({"mapping": MAPPING.replace("amount", "price")}, "mapping", "'price' is not in the header"),
        ({"mapping": "# \n" * 20000}, "mapping", "has more than 20000 characters"),
    ],
)
def test_report_when_a_field_is_wrong_then_says_so_there_and_keeps_what_was_typed(
    app, root, changes, field, text
):
    answer = send(root, **changes)
    assert answer.status_code == 422
    assert text in errors_of(answer.text, field)
    if field != "mapping":
        assert "usage_date: day" in answer.text
    assert kept(app) == 0


def test_report_when_source_and_file_are_wrong_then_both_are_said(root):
    page = send(root, b"", source="").text
    assert errors_of(page, "source")
    assert errors_of(page, "file")


def test_report_when_it_is_larger_than_a_request_may_be_then_is_refused(app, root):
    assert send(root, b"x" * (2 << 20)).status_code == 413
    assert kept(app) == 0


def test_report_when_another_sends_it_then_is_refused(app, maria):
    assert send(maria).status_code == 403
    assert kept(app) == 0


def test_report_when_the_form_is_not_ours_then_is_refused(app, settings, root):
    with_token = create_app(settings, TESTING=True)
    client = with_token.test_client()
    answer = client.post("/costs/imports", data=form_of(GOOD.encode()), content_type=FORM)
    assert answer.status_code == 400
    assert "The form is out of date" in answer.text
    with with_token.app_context():
        assert db.session.query(ImportedCost).count() == 0
        db.session.remove()
        db.engine.dispose()
