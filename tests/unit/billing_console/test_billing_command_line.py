"""`labyard billing`: a month from its usage to a proven database, on the console's machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from labyard.cli import cli
from labyard.errors import Conflict, InvalidInput
from labyard.models import db
from labyard.settings import Settings
from tests.billing_data import hours, tariff, usage


class Shell:
    """Runs `labyard billing` on the console's database."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder
        self.environment = {"LABYARD_HOME": str(settings.home), "LABYARD_DATABASE_URL": settings.database_url}

    def __call__(self, *arguments: str, code: int = 0) -> Result:
        db.session.remove()
        done = CliRunner().invoke(cli, ["billing", *arguments], env=self.environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(commands_of_the_machine: None, settings: Settings, tmp_path: Path) -> Shell:
    """Its files lie in the test's folder."""
    return Shell(settings, tmp_path)


def json_lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_month_from_usage_to_proof(shell: Shell) -> None:
    price_list = shell.write("tariff.yml", yaml.safe_dump(tariff()))
    assert "changed: standard from 2026-01-01" in shell("tariffs", "add", price_list).output
    assert shell("tariffs", "add", price_list).output == "unchanged\n"
    assert "standard" in shell("tariffs", "list").output
    text = json_lines(hours(5)) + "{not json\n\n" + json_lines([usage("bad", unit="core_hour"), *hours(5)])
    found = json.loads(shell("import-usage", shell.write("usage.jsonl", text), "--json", code=1).stdout)
    assert (found["taken"], found["known"], [r["line"] for r in found["refused"]]) == (5, 5, [6, 8])
    assert "0.30" in shell("draft", "user:ada", "2026-01").output
    assert "1 invoices were made" in shell("run", "2026-01").output
    assert "unchanged" in shell("run", "2026-01").output
    (invoice,) = json.loads(shell("invoices", "--month", "2026-01", "--json").stdout)["items"]
    assert (invoice["number"], invoice["total"]) == ("L-000001", "0.30")
    note = shell("credit", "L-000001", "--reason", "it was down", "--line", "1=0.05").output
    assert "L-000002 gives back 0.06 EUR of L-000001" in note
    with pytest.raises(Conflict):
        shell("void", "L-000001", "--reason", "no", "--yes")
    with pytest.raises(InvalidInput):
        shell("credit", "L-000001", "--reason", "no", "--line", "one")
    assert "All is well: 2 documents and 5 usage records, of which 5 are billed" in shell("verify").output


def test_invoice_that_is_void_is_made_anew_and_wrong_months_are_refused(shell: Shell) -> None:
    shell("tariffs", "add", shell.write("tariff.yml", yaml.safe_dump(tariff())))
    shell("import-usage", shell.write("usage.jsonl", json_lines(hours(5))))
    assert "L-000001" in shell("finalize", "user:ada", "2026-01").output
    assert "is void" in shell("void", "L-000001", "--reason", "wrong address", "--yes").output
    assert "L-000002" in shell("finalize", "user:ada", "2026-01").output
    assert shell("verify", "--json").exit_code == 0
    assert "no month" in shell("run", "January", code=2).output
    with pytest.raises(Conflict, match="not over"):
        shell("run", "2199-01")


def test_cost_report_is_imported_once_and_bad_lines_are_named(shell: Shell) -> None:
    report = (
        "datalab_id,usage_date,product,usage_type,usage,cost,resource_id,tags\n"
        "nb1,2026-01-31,Compute,Box,1.5,0.10,i-1,\n"
        "nb1,2026-01-31,Compute,Box,1.5,0.10,i-1,\n"
        "nb1,yesterday,Compute,Box,1.5,0.10,i-1,\n"
    )
    mapping = shell.write("mapping.yml", "currency: USD\n")
    arguments = ("import-costs", shell.write("costs.csv", report), "--source", "cloud", "--mapping", mapping)
    first = json.loads(shell(*arguments, "--json", code=1).stdout)
    assert (first["taken"], first["known"], [r["line"] for r in first["refused"]]) == (2, 0, [4])
    again = json.loads(shell(*arguments, "--json", code=1).stdout)
    assert (again["taken"], again["known"]) == (0, 2)
