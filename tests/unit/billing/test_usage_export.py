"""The module usage_export: what is written, when it says that it changed something, and where it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import show_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_apel import read_apel
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import show_record
from ansible_collections.labyard.platform.plugins.modules.usage_export import argument_spec, run
from tests.unit.billing.examples import (
    HOUR,
    START,
    make_invoices,
    make_record,
    notebook_records,
    read_golden,
)
from tests.unit.billing.exports import NAMES, SITE

RECORDS = [show_record(record) for record in notebook_records()]
DOCUMENTS = [show_invoice(invoice) for invoice in make_invoices()]
MIDNIGHT = "2026-01-12T00:00:00Z"


def export(form: str, dest: Path, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """The module's answer."""
    defaults = {name: option.get("default") for name, option in argument_spec().items()}
    given = {name.rstrip("_"): value for name, value in options.items()}
    return run({**defaults, "format": form, "dest": str(dest), **given}, check_mode)


@pytest.mark.parametrize(
    ("form", "options", "golden"),
    [
        ("csv", {"usage": RECORDS}, "usage.csv"),
        ("jsonl", {"usage": RECORDS}, "usage.jsonl"),
        ("csv", {"invoices": DOCUMENTS}, "charges.csv"),
        ("jsonl", {"invoices": DOCUMENTS}, "charges.jsonl"),
        ("focus", {"invoices": DOCUMENTS}, "focus.csv"),
        (
            "dlab",
            {
                "invoices": DOCUMENTS,
                "site": "lab",
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-02-01T00:00:00Z",
            },
            "dlab.csv",
        ),
        (
            "apel",
            {
                "usage": RECORDS,
                "to": MIDNIGHT,
                "site": SITE.name,
                "service": SITE.service,
                "groups": dict(SITE.groups),
                "users": dict(SITE.users),
            },
            "apel.txt",
        ),
        (
            "eosc",
            {
                "usage": RECORDS,
                "to": MIDNIGHT,
                "metrics": dict(NAMES.metrics),
                "groups": dict(NAMES.groups),
                "users": dict(NAMES.users),
            },
            "eosc.jsonl",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_export_when_run_twice_then_the_second_changes_nothing(
    tmp_path: Path, form: str, options: dict[str, Any], golden: str
) -> None:
    dest = tmp_path / "export"
    first = export(form, dest, **options)
    assert dest.read_text("utf-8") == read_golden(golden)
    assert (first["changed"], first["dest"], first["refused"]) == (True, str(dest), [])
    assert first["lines"] == len(read_golden(golden).splitlines())
    again = export(form, dest, **options)
    assert (again["changed"], again["checksum"]) == (False, first["checksum"])
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_export_when_in_check_mode_then_it_says_what_would_be_and_writes_nothing(tmp_path: Path) -> None:
    found = export("csv", tmp_path / "export", True, usage=RECORDS, state_path=str(tmp_path / "state"))
    assert (found["changed"], found["lines"]) == (True, len(RECORDS) + 6)
    assert (found["diff"]["before"], found["diff"]["after"]) == ("", read_golden("usage.csv"))
    assert list(tmp_path.iterdir()) == []


def test_diff_when_a_file_changes_then_it_has_both(tmp_path: Path) -> None:
    dest = tmp_path / "export"
    export("jsonl", dest, usage=RECORDS[:1])
    found = export("jsonl", dest, True, usage=RECORDS[:2])
    assert len(found["diff"]["before"].splitlines()) == 1
    assert len(found["diff"]["after"].splitlines()) == 2


def test_diff_when_a_file_is_long_then_it_has_its_size_and_checksum(tmp_path: Path) -> None:
    many = [show_record(make_record(key=str(number))) for number in range(500)]
    found = export("jsonl", tmp_path / "export", usage=many)
    assert found["diff"]["after"].endswith(f"bytes, SHA-256 {found['checksum']}\n")


def test_mode_when_it_changes_then_the_file_has_it(tmp_path: Path) -> None:
    dest = tmp_path / "export"
    export("csv", dest, usage=RECORDS)
    assert dest.stat().st_mode & 0o777 == 0o600
    assert export("csv", dest, True, usage=RECORDS, mode="0640")["changed"]
    assert export("csv", dest, usage=RECORDS, mode="0640")["changed"]
    assert dest.stat().st_mode & 0o777 == 0o640
    assert not export("csv", dest, usage=RECORDS, mode="0640")["changed"]


def test_usage_when_in_files_and_results_then_each_record_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    dest = tmp_path / "export"
    result = {"changed": False, "records": RECORDS, "beats": {}}
    export("csv", dest, usage=[str(file), result, RECORDS[0]])
    assert dest.read_text("utf-8") == read_golden("usage.csv")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({**RECORDS[0], "quantity": "-1"}, "quantity: -1 is below 0"),
        ({**RECORDS[0], "quantity": "7"}, "came before with other content"),
    ],
)
def test_record_when_it_is_bad_then_it_fails_or_is_reported(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    dest = tmp_path / "export"
    with pytest.raises(BillingError, match=reason):
        export("csv", dest, usage=[*RECORDS, bad])
    assert list(tmp_path.iterdir()) == []
    found = export("csv", dest, usage=[*RECORDS, bad], on_bad_record="report")
    assert dest.read_text("utf-8") == read_golden("usage.csv")
    assert [one["place"] for one in found["refused"]] == [f"usage[{len(RECORDS)}]"]
    assert reason in found["refused"][0]["reason"]
    assert found["warnings"] == ["1 records were left out; see refused"]


def test_invoices_when_in_a_folder_then_those_that_are_void_are_left_out(tmp_path: Path) -> None:
    first, second, _ = make_invoices()
    ledger = Ledger(tmp_path / "ledger")
    with ledger.locked():
        for invoice in (first, second):
            draft = invoice.__class__(**{**_fields(invoice), "number": "", "issued": None, "due": None})
            assert invoice.issued is not None
            entry = ledger.append(draft, "CC-", invoice.issued, [])
        ledger.void(entry, "sent to somebody else")
    dest = tmp_path / "export"
    export("focus", dest, invoices=[str(tmp_path / "ledger")])
    golden = [line for line in read_golden("focus.csv").splitlines() if "CC-000002" not in line]
    assert dest.read_text("utf-8").splitlines() == [line for line in golden if "CC-000003" not in line]


def _fields(invoice: Any) -> dict[str, Any]:
    return {name: getattr(invoice, name) for name in invoice.__dataclass_fields__}


def test_dlab_when_no_window_is_said_then_the_file_is_the_same_on_each_day(tmp_path: Path) -> None:
    dest = tmp_path / "export"
    export("dlab", dest, invoices=DOCUMENTS, site="lab")
    first = dest.read_text("utf-8").splitlines()[0]
    assert first == "Service base name: lab. Available reporting period from:  to: "


def test_invoices_when_the_window_is_another_month_then_there_is_but_a_header(tmp_path: Path) -> None:
    found = export("focus", tmp_path / "export", invoices=DOCUMENTS, from_="2026-02-01T00:00:00Z")
    assert found["lines"] == 1


def test_window_when_two_adjoin_then_each_record_is_in_one(tmp_path: Path) -> None:
    border = "2026-01-10T23:00:00Z"
    early = export("jsonl", tmp_path / "early", usage=RECORDS, to=border)
    late = export("jsonl", tmp_path / "late", usage=RECORDS, from_=border)
    assert early["lines"] + late["lines"] == len(RECORDS)
    assert early["lines"] == 7


def test_state_when_exported_then_the_next_one_goes_on_there(tmp_path: Path) -> None:
    state = {"state_path": str(tmp_path / "state"), "site": "S"}
    hours = [
        show_record(
            make_record("wall", 3600, key=str(hour), start=START + hour * HOUR, end=START + (hour + 1) * HOUR)
        )
        for hour in range(3)
    ]
    other = show_record(make_record("wall", 60, key="other", deployment="other", deployment_name="other"))
    dest = tmp_path / "{from}-{to}"
    first = export("apel", dest, usage=[*hours[:1], other], to="2026-01-10T23:00:00Z", **state)
    assert first["dest"] == str(tmp_path / "start-20260110T230000Z")
    again = export("apel", dest, usage=[*hours[:1], other], to="2026-01-10T23:00:00Z", **state)
    assert (again["changed"], again["lines"], again["dest"]) == (False, 0, "")
    second = export("apel", dest, usage=[*hours, other], to="2026-01-11T01:00:00Z", **state)
    assert second["from"] == "2026-01-10T23:00:00Z"
    with open(second["dest"], encoding="utf-8") as lines:
        (record,) = read_apel(lines)
    assert (record["MachineName"], record["WallDuration"]) == ("demo", 10800)


def test_state_when_days_are_counted_then_a_day_is_exported_once_it_is_over(tmp_path: Path) -> None:
    options = {"state_path": str(tmp_path / "state"), "metrics": {"notebook": "m"}, "usage": RECORDS}
    dest = tmp_path / "{from}"
    first = export("eosc", dest, to="2026-01-11T12:00:00Z", **options)
    assert (first["lines"], first["to"]) == (2, "2026-01-11T00:00:00Z")
    assert not export("eosc", dest, to="2026-01-11T23:59:59Z", **options)["changed"]
    second = export("eosc", dest, to="2026-01-12T00:00:00Z", **options)
    assert (second["lines"], second["from"]) == (1, "2026-01-11T00:00:00Z")


def test_state_when_writing_failed_then_it_stays_as_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(BillingError, match=r"dest: .* cannot be written: No such file"):
        export("csv", tmp_path / "missing" / "export", usage=RECORDS, state_path=str(state))
    assert not state.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": "eosc", "site": "", "until": "2026-01-01T00:00:00Z"}', "is of the format eosc"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": "csv", "site": "", "until": "then"}', "until: 'then' is no time"),
    ],
)
def test_state_when_it_is_of_something_else_then_it_is_refused(tmp_path: Path, text: str, words: str) -> None:
    state = tmp_path / "state"
    state.write_text(text, "utf-8")
    with pytest.raises(BillingError, match=words):
        export("csv", tmp_path / "export", usage=RECORDS, state_path=str(state))


@pytest.mark.parametrize(
    ("form", "options", "words"),
    [
        ("focus", {"usage": RECORDS}, "format: focus is made from invoices"),
        ("dlab", {"usage": RECORDS}, "format: dlab is made from invoices"),
        ("apel", {"invoices": DOCUMENTS}, "format: apel is made from usage records"),
        ("eosc", {"invoices": DOCUMENTS}, "format: eosc is made from usage records"),
        ("apel", {"usage": RECORDS}, "site: APEL needs the site's name"),
        ("eosc", {"usage": RECORDS}, "metrics: say which plan or shape"),
        ("csv", {"usage": RECORDS, "mode": "rw"}, "mode: 'rw': write three octal digits"),
        ("csv", {"usage": RECORDS, "from": "yesterday"}, "from: 'yesterday' is no time"),
        ("csv", {"usage": RECORDS, "from": MIDNIGHT, "to": "2026-01-01T00:00:00Z"}, "is after to"),
        ("csv", {"usage": [{"changed": False, "records": 3}]}, "with records"),
        ("csv", {"usage": ["/nowhere/records.jsonl"]}, "usage: /nowhere/records.jsonl cannot be read"),
        ("csv", {"invoices": ["/nowhere/1.json"]}, r"invoices\[0\]: /nowhere/1.json cannot be read"),
        ("csv", {"invoices": [{"number": "1"}]}, r"invoices\[0\]: this is no document of an invoice"),
        ("csv", {"invoices": [7]}, r"invoices\[0\]: a document or a path is needed; got 7"),
        (
            "focus",
            {"invoices": DOCUMENTS, "services": {"db": ["Databases", "Block Storage"]}},
            "services.db: FOCUS",
        ),
        (
            "focus",
            {"invoices": DOCUMENTS, "services": {"db": "Databases"}},
            "services.db: a category and a sub",
        ),
        ("apel", {"usage": RECORDS, "site": "S", "groups": {"physics": 7}}, "groups.physics: text is needed"),
        ("focus", {"invoices": [{**DOCUMENTS[0], "total": "5.79"}]}, "add up to 5.78, "),
        ("focus", {"invoices": [{**DOCUMENTS[0], "currency": "XLC"}]}, "XLC is no national currency"),
        (
            "dlab",
            {"invoices": [DOCUMENTS[0], {**DOCUMENTS[1], "currency": "USD"}]},
            "EUR and USD cannot be in one",
        ),
    ],
)
def test_options_when_they_cannot_be_meant_so_then_nothing_is_written(
    tmp_path: Path, form: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BillingError, match=words):
        export(form, tmp_path / "export", **options)
    assert list(tmp_path.iterdir()) == []


def test_services_when_said_then_a_plan_has_its_category(tmp_path: Path) -> None:
    dest = tmp_path / "export"
    export(
        "focus", dest, invoices=DOCUMENTS, services={"notebook": ["AI and Machine Learning", "AI Platforms"]}
    )
    assert dest.read_text("utf-8").count("AI and Machine Learning,notebook,AI Platforms") == 10
