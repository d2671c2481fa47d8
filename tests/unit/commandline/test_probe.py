"""The probe: what it says and with which exit code, whatever the console answers."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labyard.cli import cli
from labyard.commandline.client import Console
from labyard.commandline.probing import Wanted, probe
from tests.unit.commandline.answering import Answering, Asked, Reply, answering, problem

ME = Reply(200, {"username": "canary"})
DEPLOYMENT = {"id": "abcd1234", "name": "probe-x", "endpoints": []}


def command(state: int = 0, message: str = "", endpoint: str = "", ident: str = "c1") -> dict[str, Any]:
    """A command as the console shows it; `endpoint`: where its deployment answers."""
    about = {**DEPLOYMENT, "endpoints": [{"name": "JupyterLab", "url": endpoint}] if endpoint else []}
    return {"id": ident, "state": state, "message": message, "deployment": about}


def nothing_left(*items: dict[str, Any]) -> Reply:
    """A list of what earlier probes left."""
    return Reply(200, {"items": list(items), "next": None})


def ended(state: int = 5, message: str = "", endpoint: str = "") -> Reply:
    """The stream of a command that ends in `state`."""
    document = json.dumps(command(state, message, endpoint))
    text = f"event: command\ndata: {document}\n\nevent: end\ndata: {{}}\n\n"
    return Reply(200, None, {"Content-Type": "text/event-stream"}, text)


ASKED = Reply(202, command())


def run(server: Answering, *options: str, key: str = "key") -> Result:
    """`labyard probe` against `server`."""
    environment = {"LABYARD_URL": server.url, "LABYARD_API_KEY": key, "LABYARD_CREDENTIALS": "/nowhere"}
    return CliRunner().invoke(cli, ["probe", *options], env=environment)


def posts(server: Answering) -> list[Asked]:
    """The commands that were asked for."""
    return [asked for asked in server.asked if asked.method == "POST"]


def test_probe_when_all_goes_well_then_ok_with_figures_and_nothing_is_left() -> None:
    with answering(Reply(204)) as notebook:
        replies = (ME, nothing_left(), ASKED, ended(endpoint=notebook.url), ASKED, ended(8))
        with answering(*replies) as server:
            result = run(server, "--service", "notebook", "-p", "cpu_limit=0.5")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("LABYARD OK - notebook was ready after ")
    assert " | deploy=" in result.output
    assert ";60;300;0" in result.output
    assert "remove=" in result.output
    install, removal = posts(server)
    assert install.body["params"] == {"cpu_limit": "0.5"}
    assert install.body["name"].startswith("probe-")
    assert removal.body == {"deployment": "abcd1234", "phase": "remove", "params": {"keep_data": False}}
    assert notebook.asked[0].method == "GET"
    assert "Authorization" not in notebook.asked[0].headers


def test_probe_when_late_then_warning() -> None:
    with answering(ME, nothing_left(), ASKED, ended(), ASKED, ended(8)) as server:
        result = run(server, "--no-answer", "--warning", "0")
    assert result.exit_code == 1
    assert "more than 0 s" in result.output


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((ASKED, ended(9, "There is no room."), ASKED, ended(8)), "could not be deployed: There is no room."),
        ((ASKED, ended(), ASKED, ended(8)), "was deployed and has no address"),
        ((problem(503, "No worker is there.", {"Retry-After": "0"}),), "No worker is there."),
    ],
)
def test_probe_when_it_cannot_be_deployed_or_reached_then_critical(
    replies: tuple[Reply, ...], words: str
) -> None:
    with answering(ME, nothing_left(), *replies) as server:
        result = run(server)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "ready=" not in result.output
    if len(replies) > 1:
        assert [asked.body["phase"] for asked in posts(server) if asked.body] == ["install", "remove"]


def test_probe_when_the_address_does_not_answer_in_time_then_critical_and_it_is_removed() -> None:
    replies = (ME, nothing_left(), ASKED, ended(endpoint="http://127.0.0.1:1/"), ASKED, ended(8))
    with answering(*replies) as server:
        clock = itertools.count(0, 200)
        result = probe(Console(server.url, "key"), Wanted("notebook"), lambda: float(next(clock)))
    assert result.line(Wanted("notebook")).startswith("LABYARD CRITICAL - http://127.0.0.1:1/ did not answer")
    assert set(result.seconds) == {"deploy", "remove"}


def test_probe_when_it_is_not_ready_in_time_then_it_is_cancelled_and_removed() -> None:
    replies = (ME, nothing_left(), ASKED, ended(1), ASKED, ended(9), ASKED, ended(8))
    with answering(*replies) as server:
        result = probe(Console(server.url, "key"), Wanted("notebook", critical=0.0))
    assert result.words == ["notebook was not ready within 0 s."]
    assert [asked.path.rpartition("/")[2] for asked in posts(server)] == ["commands", "cancel", "commands"]


def test_probe_when_it_cannot_be_removed_then_critical_with_its_id() -> None:
    with answering(ME, nothing_left(), ASKED, ended(), problem(409, "It is being changed.")) as server:
        result = run(server, "--no-answer")
    assert result.exit_code == 2
    assert "The deployment abcd1234 could not be removed: It is being changed." in result.output


def test_probe_when_earlier_ones_left_something_then_it_is_removed_unless_it_is_young() -> None:
    now = datetime.now(UTC)
    old, young = (
        {"id": ident, "name": f"probe-{ident}", "created_at": (now - timedelta(minutes=age)).isoformat()}
        for ident, age in (("oldoldol", 60), ("youngone", 1))
    )
    replies = (ME, nothing_left(old, young), ASKED, ended(8), ASKED, ended(), ASKED, ended(8))
    with answering(*replies) as server:
        result = run(server, "--no-answer")
    assert result.exit_code == 0, result.output
    assert [asked.body.get("deployment") for asked in posts(server)] == ["oldoldol", None, "abcd1234"]


@pytest.mark.parametrize(
    "replies",
    [(problem(401, "The key is not valid."),), (ME, nothing_left(), problem(404, "There is no such plan."))],
)
def test_probe_when_it_is_set_up_wrongly_then_unknown(replies: tuple[Reply, ...]) -> None:
    with answering(*replies) as server:
        result = run(server)
    assert result.exit_code == 3
    assert result.output.startswith("LABYARD UNKNOWN - ")


@pytest.mark.parametrize("options", [("--warning", "soon"), ("--no-such-option",), ("-p", "x")])
def test_probe_when_its_options_are_wrong_then_unknown(options: tuple[str, ...]) -> None:
    with answering(ME) as server:
        assert run(server, *options).exit_code == 3
    assert server.asked == []


def test_probe_when_nobody_answers_then_critical() -> None:
    with answering(Reply(0)) as server:
        assert run(server).exit_code == 2


def test_textfile_when_written_then_prometheus_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "probe.prom"
    with answering(ME, nothing_left(), ASKED, ended(), ASKED, ended(8)) as server:
        assert run(server, "--no-answer", "--textfile", str(path)).exit_code == 0
    text = path.read_text()
    assert 'labyard_probe_success{plan="notebook"} 1\n' in text
    assert 'labyard_probe_seconds{plan="notebook",step="ready"} ' in text
    assert [p.name for p in tmp_path.iterdir()] == ["probe.prom"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_textfile_when_it_cannot_be_written_then_unknown(tmp_path: Path) -> None:
    with answering(ME, nothing_left(), ASKED, ended(), ASKED, ended(8)) as server:
        result = run(server, "--no-answer", "--textfile", str(tmp_path / "no" / "probe.prom"))
    assert result.exit_code == 3
    assert "cannot be written" in result.output
