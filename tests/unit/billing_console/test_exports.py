"""Exports in the formats of others: EOSC by a file of the operator, DLab with what deployments do."""

from __future__ import annotations

import csv
import io
from contextvars import Context
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from ansible_collections.labyard.platform.plugins.module_utils._billing.export_eosc import (
    EoscMetric,
    read_eosc,
)
from labyard.context import session
from labyard.models import Deployment, Health, State
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from tests.billing_data import add_standard_tariff, bill, take, usage
from tests.unit.billing_console.test_billing_command_line import Shell, shell
from tests.unit.conftest import key_of, make_person

__all__ = ["shell"]  # a fixture
API = "/api/v1"
NAMES = """
metrics: {notebook/small: m-small, notebook: m-any}
users: {ada: ada@idp.example.org}
groups: {default: vo.example.org}
"""
Key = dict[str, str]


@pytest.fixture
def names(console_home: Path) -> Path:
    path = console_home / "eosc.yml"
    path.write_text(NAMES, encoding="utf-8")
    return path


@pytest.fixture
def settings(console_home: Path, console_database: dict[str, str], names: Path) -> Settings:
    own = {"LABYARD_HOME": str(console_home), "LABYARD_EOSC_FILE": str(names)}
    return read_settings({**own, **console_database})


@pytest.fixture
def admin(app: APIFlask) -> Key:
    make_person("ada")
    return key_of(make_person("root", is_admin=True))


def wall(key: str, start: str, end: str, seconds: str, **changes: Any) -> dict[str, Any]:
    """How long ada's notebook ran."""
    about = {"resource": "wall", "unit": "second", "start": start, "end": end, "quantity": seconds}
    return usage(key, **about, **changes)


def export(client: FlaskClient, key: Key, path: str) -> str:
    session().commit()
    return Context().run(lambda: str(FlaskClient.open(client, f"{API}/{path}", headers=key).text))


@pytest.fixture
def used(admin: Key) -> None:
    """Two hours over midnight, an hour of a plan that is no metric, and cores, which are none either."""
    take(
        wall("1", "2026-01-10T23:00:00Z", "2026-01-11T01:00:00Z", "7200"),
        wall("2", "2026-01-11T10:00:00Z", "2026-01-11T10:30:00Z", "1800", shape="large"),
        wall("3", "2026-01-11T10:00:00Z", "2026-01-11T11:00:00Z", "3600", plan="postgres", shape="big"),
        usage("4"),
    )


def test_eosc_when_exported_then_has_hours_of_days_by_the_names_of_the_file(
    client: FlaskClient, admin: Key, used: None
) -> None:
    found = list(read_eosc(export(client, admin, "usage/export?format=eosc").splitlines()))
    ten, eleven = (datetime(2026, 1, day, tzinfo=UTC) for day in (10, 11))
    who = ("ada@idp.example.org", "vo.example.org")
    assert found == [
        EoscMetric(ten, "m-small", *who, Decimal(1)),
        EoscMetric(eleven, "m-any", *who, Decimal("0.5")),
        EoscMetric(eleven, "m-small", *who, Decimal(1)),
    ]
    part = export(client, admin, "usage/export?format=eosc&from=2026-01-11T00:00:00Z&to=2026-01-12T00:00:00Z")
    assert list(read_eosc(part.splitlines())) == found[1:]


def test_apel_when_a_window_is_given_then_a_record_has_all_since_its_deployment_started(
    client: FlaskClient, admin: Key, used: None
) -> None:
    text = export(client, admin, "usage/export?format=apel&from=2026-01-11T00:00:00Z")
    assert "StartTime: 1768039200\n" in text  # of the tenth
    assert "WallDuration: 12600\n" in text


def test_eosc_when_another_asks_then_is_refused(client: FlaskClient, admin: Key) -> None:
    eve = key_of(make_person("eve"))
    assert client.get(f"{API}/usage/export?format=eosc", headers=eve).status_code == 403


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("metrics: [", "is no YAML"),
        ("- one", "must have metrics"),
        ("metrics: {}", "metrics: say which plan"),
        ("metrics: {notebook: 1}", "metrics.notebook: text is needed"),
        ("metrics: {notebook: m}\nuser: {}", "nothing else"),
    ],
)
def test_eosc_when_its_file_is_wrong_then_says_what_to_do(
    client: FlaskClient, admin: Key, names: Path, text: str | None, words: str
) -> None:
    if text is None:
        names.unlink()
    else:
        names.write_text(text, encoding="utf-8")
    answer = client.get(f"{API}/usage/export?format=eosc", headers=admin)
    assert answer.status_code == 422
    assert words in answer.json["errors"]["format"]
    assert "LABYARD_EOSC_FILE" in answer.json["errors"]["format"]


def test_window_when_it_ends_before_it_begins_then_is_refused(client: FlaskClient, admin: Key) -> None:
    query = "format=eosc&from=2026-01-11T00:00:00Z&to=2026-01-10T00:00:00Z"
    answer = client.get(f"{API}/usage/export?{query}", headers=admin)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["from"])


def test_dlab_when_exported_then_status_is_what_deployments_do(client: FlaskClient, admin: Key) -> None:
    add_standard_tariff()
    launched = client.post(
        f"{API}/commands", json={"plan": "notebook", "phase": "install", "name": "demo"}, headers=admin
    ).json
    ident = launched["deployment"]["id"]
    begin_writing()
    deployment = session().get_one(Deployment, ident)
    deployment.state = State.PENDING
    deployment.state, deployment.health = State.COMPLETED, Health.STOPPED.value
    session().commit()
    take(usage("1", deployment=ident), usage("2"))
    bill()
    rows = list(csv.reader(io.StringIO(export(client, admin, "invoices/export?format=dlab"))))
    found = {row[0]: row[4] for row in rows[2:-1]}
    assert found == {ident: "stopped", "aaaaaaaa": "", "user:ada": ""}


def test_command_line_when_it_exports_then_has_every_format(
    shell: Shell, settings: Settings, admin: Key, used: None
) -> None:
    add_standard_tariff(valid_from="2025-01-01")
    bill()
    shell.environment["LABYARD_EOSC_FILE"] = str(settings.eosc_file)
    metrics = shell("export", "usage", "--format", "eosc", "--from", "2026-01-11", "--to", "2026-01-12")
    assert {metric.day.date() for metric in read_eosc(metrics.stdout.splitlines())} == {date(2026, 1, 11)}
    assert "APEL-cloud-message" in shell("export", "usage", "--format", "apel", "--site", "X").stdout
    assert "BilledCost" in shell("export", "invoices", "--format", "focus").stdout
    target = shell.folder / "costs.csv"
    shell("export", "costs", "--output", str(target))
    assert target.read_text(encoding="utf-8").startswith("source,day,account")
    assert "costs: there are csv, jsonl" in shell("export", "costs", "--format", "focus", code=2).output
    assert "neither a day" in shell("export", "usage", "--from", "soon", code=2).output
