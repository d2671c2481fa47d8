"""The service commands: what they ask the console for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from labyard.cli import cli
from labyard.errors import InvalidInput
from tests.unit.commandline.answering import Answering, Reply, answering, problem

COMMAND = {
    "id": "8m2kq0x7yt1c",
    "phase": "install",
    "state": 0,
    "state_name": "INITIATED",
    "reason": None,
    "message": "",
    "check": False,
    "difference": [],
    "queue_position": 1,
    "deployment": {"name": "demo", "endpoints": []},
}


def run(server: Answering, *arguments: str) -> Result:
    """`labyard` with the console that `server` plays."""
    environment = {"LABYARD_URL": server.url, "LABYARD_API_KEY": "lyk_key", "LABYARD_HOME": "/nowhere"}
    return CliRunner().invoke(cli, arguments, env=environment, catch_exceptions=False)


@pytest.mark.parametrize(("options", "owner"), [((), {}), (("--user", "ada"), {"owner": "ada"})])
def test_deploy_when_it_is_for_a_user_then_the_one_request_names_the_owner(
    options: tuple[str, ...], owner: dict[str, Any]
) -> None:
    with answering(Reply(202, COMMAND)) as server:
        done = run(server, "deployservice", "--service", "notebook", "--name", "demo", *options)
    assert done.exit_code == 0, done.output
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/v1/commands")
    assert asked.body == {"phase": "install", "params": {}, "plan": "notebook", "name": "demo", **owner}
    assert asked.headers["Authorization"] == "Bearer lyk_key"


SOURCE = {"repository": "https://git.example.org/lab.git", "ref": "v1", "path": "roles/echo"}
STORED = {
    "name": "echo",
    "title": "Echo",
    "summary": "Says what you say.",  # the configuration's
    "own_summary": "",
    "configuration": "lab.services.echo",
    "fixed": {},
    "shapes": {},
    "visible": True,
    "projects": ["lab", "team"],
    "source": SOURCE,
    "version": 3,
}
GIVEN = {"name": "echo", "configuration": "lab.services.echo", "projects": ["team", "lab"], "source": SOURCE}


def check(tmp_path: Path, plan: dict[str, Any], reply: Reply) -> str:
    """What `createservice --check` prints for a file with `plan`."""
    specs = tmp_path / "plans.yml"
    specs.write_text(yaml.safe_dump([plan]))
    with answering(reply) as server:
        done = run(server, "createservice", "--specs", str(specs), "--check")
    assert [asked.method for asked in server.asked] == ["GET"]
    return "\n".join(line.rstrip() for line in done.output.splitlines())


def test_createservice_when_checked_and_all_is_as_given_then_a_default_summary_is_no_difference(
    tmp_path: Path,
) -> None:
    assert check(tmp_path, GIVEN, Reply(200, STORED)) == "Nothing would change."


def test_createservice_when_checked_then_what_the_file_leaves_out_goes_back_to_its_default(
    tmp_path: Path,
) -> None:
    stored = {**STORED, "fixed": {"size": 2}, "own_summary": "Ours."}
    plan = {"name": "echo", "configuration": "lab.services.echo", "source": {**SOURCE, "ref": "v2"}}
    said = check(tmp_path, plan, Reply(200, stored)).splitlines()
    assert {
        "-summary: Ours.",
        "+summary: ''",
        "+fixed: {}",
        "+projects: []",
        "-  ref: v1",
        "+  ref: v2",
    } <= set(said)


def test_createservice_when_the_plan_is_new_then_all_of_it_is_shown(tmp_path: Path) -> None:
    said = check(tmp_path, GIVEN, problem(404, "there is no such plan")).splitlines()
    assert {"+title: Echo", "+visible: true", "+  path: roles/echo"} <= set(said)


def test_createservice_when_a_plan_is_not_right_then_check_says_so_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(tmp_path, {**GIVEN, "projects": "lab"}, Reply(404))
    assert caught.value.errors == {"plan.projects": "must be a list of names"}
