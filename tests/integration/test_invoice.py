"""The module `invoice` in plays, as an operator writes them, without a console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.labyard.platform.plugins.modules import invoice
from tests.integration.stack_helpers import run_tasks
from tests.unit.billing.makers import CPU, record_document, tariff_document

INVOICE = "labyard.platform.invoice"


def play(folder: Path, *tasks: dict[str, Any], arguments: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The results of the tasks, in order."""
    steps = [{**task, "register": f"done_{place}", "ignore_errors": True} for place, task in enumerate(tasks)]
    names = ", ".join(f"done_{place}" for place in range(len(tasks)))
    where = folder / "results.json"
    keep = {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(where)}
    steps.append({"ansible.builtin.copy": keep, "check_mode": False, "diff": False})
    tasks_file = folder / "tasks.yml"  # of YAML, in which a day is no text
    tasks_file.write_text(yaml.safe_dump(steps), encoding="utf-8")
    done = run_tasks(folder, [{"ansible.builtin.import_tasks": str(tasks_file)}], *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    play.printed = done.stdout  # type: ignore[attr-defined]
    found: list[dict[str, Any]] = json.loads(where.read_text(encoding="utf-8"))
    return found


def test_invoice_when_a_play_bills_a_month_then_a_second_run_changes_nothing(tmp_path: Path) -> None:
    usage = tmp_path / "usage.jsonl"
    lines = [
        record_document("1", quantity="36000"),
        record_document("2", deployment="d2", deployment_name="b"),
    ]
    usage.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    tariff = tmp_path / "tariff.yml"
    tariff.write_text(yaml.safe_dump(tariff_document({**CPU, "price": "0.50"}, supplier={"name": "Centre"})))
    options = {
        "folder": str(tmp_path / "invoices"),
        "account": "user:ada",
        "period": "2026-01",
        "tariffs": [str(tariff)],
        "usage": [str(usage), lines[0]],
        "issued": "2026-02-01",
    }
    final = {INVOICE: {**options, "state": "final"}}

    (foretold,) = play(tmp_path, final, arguments=("--check", "--diff"))
    assert foretold["changed"]
    assert foretold["invoice"]["number"] == "000001"
    assert '+ "total": "5.50"' in play.printed  # type: ignore[attr-defined]
    assert not (tmp_path / "invoices").exists()

    draft, first, again, bad = play(
        tmp_path,
        {INVOICE: options},
        final,
        final,
        {INVOICE: {**options, "period": "2026-02", "usage": [{**lines[0], "quantity": "1"}]}},
    )
    assert [one["changed"] for one in (draft, first, again)] == [True, True, False]
    assert "diff" not in first
    assert first["invoice"] == foretold["invoice"] == again["invoice"]
    assert first["counts"] == {"billed": 2, "late": 0, "later": 0, "known": 1}
    assert [(line["deployment_name"], line["amount"]) for line in first["invoice"]["lines"]] == [
        ("b", "0.50"),
        ("notes", "5.00"),
    ]
    assert bad["failed"]
    assert bad["msg"].startswith("usage[0]: key: '1' of source 'test' came before with other content")


def test_invoice_when_the_examples_are_run_then_they_do_what_they_say(tmp_path: Path) -> None:
    text = invoice.EXAMPLES.replace("/var/lib/billing", str(tmp_path))
    tasks = [{name: task[name] for name in task if name != "register"} for task in yaml.safe_load(text)]
    for task in tasks:
        for module, options in task.items():
            if module == INVOICE:
                options["issued"] = "2026-02-01"
    bill, _, credit, void = tasks
    hours = {"start": "2026-01-10T00:00:00Z", "end": "2026-01-11T00:00:00Z", "quantity": str(100 * 3600)}
    record = record_document("1", account="project:physics", **hours)
    (tmp_path / "usage-2026-01.jsonl").write_text(json.dumps(record), encoding="utf-8")
    more = [
        {INVOICE: {**bill[INVOICE], "account": f"project:{name}", "period": "2026-01"}} for name in range(5)
    ]  # numbers 3 to 7, of the minimum alone

    january, note, *others, voided = play(tmp_path, bill, credit, *more, void)
    assert january["invoice"]["number"] == "CC-000001"
    assert (january["invoice"]["net"], january["invoice"]["minimum"]) == ("5.00", "1.80")  # 4.00 less 20 %
    assert (note["invoice"]["corrects"], note["invoice"]["total"]) == ("CC-000001", "1.14")  # 0.96 and tax
    assert [one["invoice"]["number"] for one in others][-1] == "CC-000007"
    assert (voided["changed"], voided["state"]) == (True, "void")


def test_invoice_when_options_are_missing_then_the_module_says_which(tmp_path: Path) -> None:
    folder = {"folder": str(tmp_path / "invoices")}
    draft, void = play(tmp_path, {INVOICE: folder}, {INVOICE: {**folder, "state": "void"}})
    assert draft["msg"] == "state is draft but all of the following are missing: account, period, tariffs"
    assert void["msg"] == "state is void but all of the following are missing: number, reason"
