"""The module `invoice`: documents of a folder, in all states, again and again."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from ansible_collections.labyard.platform.plugins.modules.invoice import argument_spec, run
from tests.unit.billing.makers import CPU, record_document, tariff_document

TARIFF = tariff_document({**CPU, "price": "1"}, minimum="1.00", supplier={"name": "Centre"})
LATE = record_document("late", start="2026-01-30T00:00:00Z", end="2026-01-30T01:00:00Z", quantity="18000")
Module = Callable[..., dict[str, Any]]


@pytest.fixture
def module(tmp_path: Path) -> Module:
    """Runs the module: January for Ada with ten hours, final, unless told otherwise."""

    def call(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "state": "final",
            "folder": str(tmp_path / "invoices"),
            "account": "user:ada",
            "period": "2026-01",
            "tariffs": [TARIFF],
            "usage": [record_document("1", quantity="36000")],
            "issued": "2026-03-01",
            **options,
        }
        defaults = {name: spec.get("default") for name, spec in argument_spec().items()}
        return run({**defaults, **given}, check_mode)

    return call


def files(tmp_path: Path) -> dict[str, str]:
    """All that lies in the folder."""
    folder = tmp_path / "invoices"
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_draft_when_made_again_then_it_changes_with_the_usage_alone(module: Module, tmp_path: Path) -> None:
    first = module(state="draft")
    assert (first["changed"], first["state"], first["invoice"]["number"]) == (True, "draft", "")
    assert json.loads(Path(first["file"]).read_text()) == first["invoice"]
    assert stat.S_IMODE(Path(first["file"]).stat().st_mode) == 0o600
    assert not module(state="draft")["changed"]
    more = module(state="draft", usage=[record_document("1", quantity="36000"), LATE])
    assert (more["changed"], more["invoice"]["total"]) == (True, "15.00")
    assert more["diff"]["before"] != more["diff"]["after"]
    assert list(files(tmp_path)) == ["drafts/user%3Aada-2026-01.json"]


def test_draft_when_there_is_nothing_to_bill_any_more_then_it_goes(module: Module, tmp_path: Path) -> None:
    free = {**TARIFF, "minimum": None}
    module(state="draft", tariffs=[free])
    gone = module(state="draft", tariffs=[free], usage=[])
    assert (gone["changed"], gone["invoice"], gone["state"]) == (True, {}, "")
    assert files(tmp_path) == {}
    assert not module(state="draft", tariffs=[free], usage=[])["changed"]
    assert not module(tariffs=[free], usage=[])["changed"]


def test_final_when_made_then_it_has_a_number_and_never_changes(module: Module, tmp_path: Path) -> None:
    module(state="draft")
    first = module(prefix="A-")
    assert (first["changed"], first["state"], first["counts"]["billed"]) == (True, "final", 1)
    assert (first["invoice"]["number"], first["invoice"]["due"]) == ("A-000001", "2026-03-31")
    kept = files(tmp_path)
    assert set(kept) == {"000001.json", "000001.records.json"}
    for again in (module(prefix="A-"), module(state="draft"), module(usage=[]), module(usage=[LATE])):
        assert (again["changed"], again["invoice"]) == (False, first["invoice"])
    assert module(usage=[record_document("1", quantity="36000"), LATE])["counts"] == {
        "billed": 0, "late": 1, "later": 0, "known": 1,
    }  # fmt: skip
    assert files(tmp_path) == kept


def test_usage_when_it_comes_late_then_the_next_invoice_has_it_once(module: Module) -> None:
    first, usage = module(), [record_document("1", quantity="36000"), LATE]
    second = module(period="2026-02", usage=[*usage, *usage])
    assert second["counts"] == {"billed": 1, "late": 1, "later": 0, "known": 3}
    assert (second["invoice"]["number"], second["invoice"]["total"]) == ("000002", "5.00")
    assert second["invoice"]["lines"][0]["end"] < second["invoice"]["period"]["start"]
    assert (
        module(period="2026-03", usage=usage, issued="2026-04-01")["invoice"]["total"] == "1.00"
    )  # the minimum
    with pytest.raises(BillingError, match="period: 2026-01 is final already, as 000001; what came late"):
        module(period="2025-12", usage=[])
    assert module()["invoice"] == first["invoice"]


def test_check_mode_when_used_then_the_same_is_said_and_nothing_written(
    module: Module, tmp_path: Path
) -> None:
    foretold = module(check_mode=True)
    assert not (tmp_path / "invoices").exists()
    done = module()
    assert foretold == done
    kept = files(tmp_path)
    correct = {"number": "000001", "reason": "was down", "amounts": {"0": "4.00"}}
    for state in ("credited", "void"):
        assert module(check_mode=True, state=state, **correct)["changed"]
    assert files(tmp_path) == kept


def test_credit_note_when_made_then_once_for_a_reason(module: Module) -> None:
    module()
    part = {"state": "credited", "number": "000001", "reason": "was down", "amounts": {"0": "4.00"}}
    note = module(**part)
    assert (note["changed"], note["invoice"]["number"], note["invoice"]["total"]) == (True, "000002", "4.00")
    assert not module(**part)["changed"]
    with pytest.raises(
        BillingError, match="000002 corrects 000001 for this reason already, with other amounts"
    ):
        module(**{**part, "amounts": {"0": "5.00"}})
    with pytest.raises(BillingError, match="number: 000002 is a credit note; only invoices can be void"):
        module(state="void", number="000002", reason="wrong")
    rest = {"state": "credited", "number": "000001", "reason": "never ran"}
    assert module(**rest)["invoice"]["total"] == "6.00"
    again = module(**rest)
    assert (again["changed"], again["invoice"]["number"]) == (False, "000003")
    with pytest.raises(
        BillingError, match="number: 000001 was corrected by 000002 and cannot be void any more"
    ):
        module(state="void", number="000001", reason="wrong")


def test_void_when_said_then_the_number_stays_and_usage_is_billed_anew(
    module: Module, tmp_path: Path
) -> None:
    first = module()
    kept = files(tmp_path)
    void = {"state": "void", "number": "000001", "reason": "Sent to the wrong institute"}
    done = module(**void)
    assert (done["changed"], done["state"], done["invoice"]) == (True, "void", first["invoice"])
    assert not module(**void)["changed"]
    assert files(tmp_path).items() > kept.items()
    second = module()
    assert (second["changed"], second["invoice"]["number"]) == (True, "000002")
    assert second["invoice"]["lines"] == first["invoice"]["lines"]
    with pytest.raises(BillingError, match="number: 000001 is void; there is nothing to give back"):
        module(state="credited", number="000001", reason="wrong")
    with pytest.raises(BillingError, match="number: there is no document '000009' in"):
        module(**{**void, "number": "000009"})


def test_accounts_when_they_share_a_folder_then_each_has_its_own_usage(module: Module) -> None:
    usage = [record_document("1"), record_document("2", account="project:physics", quantity="7200")]
    totals = [module(account=name, usage=usage)["invoice"] for name in ("user:ada", "project:physics")]
    assert [(one["number"], one["total"]) for one in totals] == [("000001", "1.00"), ("000002", "2.00")]
    assert totals[1]["customer"]["name"] == "project:physics"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"period": "January"}, "period: 'January' is no month as 2026-01 is one"),
        ({"issued": "today"}, "issued: 'today' is no day as 2026-02-01 is one"),
        ({"issued": "2026-01-31"}, "issued: 2026-01 is not over on 2026-01-31; make a draft now"),
        ({"tariffs": []}, "period 2026-01: no version of the tariff|no version is valid"),
        ({"tariffs": [{**TARIFF, "colour": "red"}]}, r"tariffs\[0\]: colour: unknown"),
        ({"tariffs": [TARIFF, TARIFF]}, "valid_to: tariff standard .* overlaps with"),
        ({"tariffs": [{**TARIFF, "valid_from": "2026-01-20"}]}, r"usage\[0\]: tariff standard: no version"),
        ({"tariffs": [{**TARIFF, "supplier": None}]}, "supplier: say who sends the invoice"),
        ({"tariffs": ["/nonexistent.yml"]}, "/nonexistent.yml: cannot be read"),
        ({"customer": {"address": "x" * 1001}}, "customer.address: at most 1000 printable characters"),
        ({"usage": ["/nonexistent.jsonl"]}, "usage: /nonexistent.jsonl cannot be read: No such file"),
        ({"usage": [{"source": "s"}]}, r"usage\[0\]: key: is missing"),
        ({"usage": [record_document(start="2026-01-10T12:00:00Z")]}, r"usage\[0\]: end: .* is before"),
        ({"usage": [record_document(), record_document(quantity="1")]}, r"usage\[1\]: key: '1' of source"),
        ({"state": "void"}, "number: there is no document '7' in"),
        ({"state": "credited", "amounts": {"a": "1"}}, "amounts.a: the place of a line is a whole number"),
        ({"state": "credited", "amounts": {"0": 1.5}}, "amounts.0: write a decimal number in quotes"),
    ],
)  # fmt: skip
def test_module_when_something_is_wrong_then_it_says_where_and_writes_nothing(
    module: Module, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BillingError, match=said):
        module(**{"number": "7", "reason": "wrong", **options})
    assert files(tmp_path) == {}


def test_record_when_it_is_bad_and_to_be_reported_then_the_rest_is_billed(module: Module) -> None:
    found = module(usage=[record_document("1", quantity="36000"), {"source": "s"}], on_bad_record="report")
    assert found["refused"] == [{"place": "usage[1]", "reason": "key: is missing"}]
    assert found["invoice"]["total"] == "10.00"


def test_record_when_it_was_billed_with_other_content_then_it_is_refused(module: Module) -> None:
    module()
    with pytest.raises(BillingError, match=r"usage\[0\]: key: '1' of source 'test' came before with other"):
        module(period="2026-02", usage=[record_document("1")])


def test_tariff_when_it_lies_in_a_file_then_it_is_read(module: Module, tmp_path: Path) -> None:
    path = tmp_path / "tariff.yml"
    path.write_text(json.dumps(TARIFF))
    assert module(tariffs=[str(path)])["invoice"]["total"] == "10.00"
    path.write_text("name: [")
    with pytest.raises(BillingError, match=r"tariff.yml: cannot be read: while parsing"):
        module(tariffs=[str(path)], period="2026-02")


def test_number_when_the_day_is_before_the_last_then_it_is_refused(module: Module) -> None:
    module()
    with pytest.raises(BillingError, match="issued: 2026-02-28 is before the 2026-03-01 of 000001"):
        module(account="project:physics", issued="2026-02-28")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("000001.json", "has no document 000001.json; put it back"),
        ("000002.json", "has no document 000002.json; put it back"),
        ("000001.records.json", "000001.records.json cannot be read"),
    ],
)
def test_folder_when_a_file_is_missing_then_nothing_more_is_done(
    module: Module, tmp_path: Path, name: str, said: str
) -> None:
    for period in ("2026-01", "2026-02", "2026-03"):
        module(period=period, issued="2026-05-01")
    (tmp_path / "invoices" / name).unlink()
    with pytest.raises(BillingError, match=said):
        module(period="2026-04", issued="2026-05-01")


def test_folder_when_the_records_of_an_invoice_were_changed_then_nothing_more_is_done(
    module: Module, tmp_path: Path
) -> None:
    module()
    path = tmp_path / "invoices" / "000001.records.json"
    path.write_text("[]")
    with pytest.raises(BillingError, match=r"000001.records.json was changed; put back what it was"):
        module(period="2026-02")


@pytest.mark.parametrize("name", ["000001.json", "000002.json", "000001.void.json"])
def test_folder_when_something_was_changed_in_it_then_nothing_more_is_done(
    module: Module, tmp_path: Path, name: str
) -> None:
    module()
    module(state="void", number="000001", reason="wrong")
    module()
    path = tmp_path / "invoices" / name
    path.write_text(path.read_text().replace("wrong", "right").replace("10.00", "1.00"))
    with pytest.raises(
        BillingError, match=f"{name}, or what is before it, was changed; put back what it was"
    ):
        module(period="2026-02")


def test_folder_when_it_cannot_be_written_then_it_is_said(module: Module, tmp_path: Path) -> None:
    (tmp_path / "invoices").write_text("a file")
    with pytest.raises(BillingError, match="invoices cannot be written: File exists"):
        module()


def test_run_when_it_is_cut_off_at_any_write_then_the_next_one_goes_on_without_a_gap(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    write = Ledger._write
    for step in range(3):  # before, between and after the two files of a document
        left = step

        def cut_off(self: Ledger, path: Path, content: object) -> None:
            nonlocal left
            if left == 0:
                raise Killed
            write(self, path, content)
            left -= 1
            if left == 0:
                path.with_name(".part-1-x").write_text("half of")
                raise Killed

        period = f"2026-0{step + 1}"
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_write", cut_off)
            with pytest.raises(Killed):
                module(period=period, issued="2026-06-01", usage=[])
        done = module(period=period, issued="2026-06-01", usage=[])
        assert done["invoice"]["number"] == f"{step + 1:06d}"
    assert [entry.place for entry in Ledger(tmp_path / "invoices").entries()] == [1, 2, 3]
    assert not [name for name in files(tmp_path) if ".part-" in name]
