"""The command line against a real console: what it prints, and what its exit codes say."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import SCRIPTS, RunningConsole, wait_until
from tests.integration.conftest import CHEAP_PLAN
from tests.services.cheap_collection import NAME


def _hear_interrupts() -> None:
    """A shell lets what it runs in the background be deaf to Ctrl-C, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Line:
    """The command line of an admin of the console."""

    def __init__(self, console: RunningConsole):
        self.console = console

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What a command prints (both streams); its exit code must be `code`."""
        done = self.start(*arguments, **variables)
        out, _ = done.communicate("a long password 1\n", timeout=120)
        assert done.returncode == code, out
        assert self.console.api_key not in out
        return str(out)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The document that a command prints with --json."""
        done = self.start(*arguments, "--json", stderr=subprocess.PIPE)
        out, err = done.communicate("a long password 1\n", timeout=120)
        assert done.returncode == code, out + err
        return json.loads(out)

    def start(self, *arguments: str, stderr: int = subprocess.STDOUT, **variables: str) -> Any:
        """The process of a command, with its streams as pipes."""
        return subprocess.Popen(
            [str(SCRIPTS / "labyard"), *arguments],
            env={**self.console.environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            preexec_fn=_hear_interrupts,
        )

    def deploy(self, name: str, *arguments: str, code: int = 0) -> Any:
        """`deployservice` of the tests' plan, waited for."""
        return self.json(
            "deployservice", "--service", CHEAP_PLAN, "--name", name, "--wait", *arguments, code=code
        )


@pytest.fixture
def line(cheap_console: RunningConsole) -> Line:
    return Line(cheap_console)


def test_services_when_deployed_changed_and_removed_then_each_command_says_so(
    line: Line, unique: str
) -> None:
    made = line.deploy(unique, "--params", "words=one,size=2", "-p", "seconds=1")
    assert (made["state_name"], made["params"]["size"]) == ("COMPLETED", 2)
    assert unique in line.run("listservices", "--deployments")
    assert "COMPLETED" in line.run("deployments", "show", unique)
    assert line.json("deployments", "show", made["deployment"]["id"])["name"] == unique

    checked = line.run(
        "deployservice",
        "--service",
        CHEAP_PLAN,
        "--name",
        unique,
        "--phase",
        "update",
        "-p",
        "words=two",
        "--check",
    )
    assert "-one" in checked
    assert "+two" in checked
    assert line.json("deployments", "show", unique)["params"]["words"] == "one"

    stopped = line.deploy(unique, "--phase", "stop")
    assert stopped["deployment"]["health"] == "stopped"
    listed = line.json(
        "deployments", "list", "--search", unique, "--health", "stopped", "--state", "completed"
    )
    assert [d["name"] for d in listed["items"]] == [unique]
    removed = line.run("deleteservice", "--service", CHEAP_PLAN, "--name", unique, "--wait")
    assert "Remove is done." in removed
    line.run("deployments", "show", unique, code=5)


def test_exit_codes_when_things_go_wrong_then_each_kind_has_its_own(
    line: Line, unique: str, cheap_console: RunningConsole
) -> None:
    failed = line.deploy(unique, "-p", "fails=true", code=1)
    assert failed["state_name"] == "FAILED"
    assert "No such option" in line.run("deployservice", "--nonsense", code=2)
    refused = line.run("deployservice", "--service", CHEAP_PLAN, "--name", "x", "-p", "size=large", code=2)
    assert "  size: " in refused
    away = {"LABYARD_URL": "http://127.0.0.1:1"}
    assert "does not answer" in line.run("whoami", code=3, **away)
    line.run("whoami", code=4, LABYARD_API_KEY="lyk_wrong")
    line.run("plans", "show", "no-such-plan", code=5)
    taken = line.run("deployservice", "--service", CHEAP_PLAN, "--name", unique, code=6)
    assert "retry that one" in taken
    late = line.run(
        "deployservice", "--service", CHEAP_PLAN, "--name", f"{unique}-late", "-p", "seconds=5",
        "--wait", "--timeout", "1", code=7,
    )  # fmt: skip
    assert "goes on" in late
    assert "labyard commands follow" in late


def test_wait_when_interrupted_then_a_bar_was_shown_and_the_command_goes_on(line: Line, unique: str) -> None:
    terminal, end = pty.openpty()
    process = line.start(
        "deployservice", "--service", CHEAP_PLAN, "--name", unique, "-p", "seconds=3", "--wait", stderr=end
    )
    os.close(end)
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        seen = b""
        while b"install" not in seen:
            seen += screen.read(4096)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        while b"goes on" not in seen:
            seen += screen.read(4096)
    assert process.returncode == 130, seen
    (command,) = line.json("commands", "list", "--deployment", unique)["items"]
    assert line.console.finish(command)["state_name"] == "COMPLETED"


def test_commands_when_followed_cancelled_and_retried_then_they_say_what_happens(
    line: Line, unique: str
) -> None:
    issued = line.json("deployservice", "--service", CHEAP_PLAN, "--name", unique, "-p", "seconds=60")
    wait_until(lambda: line.json("commands", "show", issued["id"])["state"] == 1, 60, "it runs")
    cancelled = line.json("commands", "cancel", issued["id"], "--wait", code=1)
    assert cancelled["reason"] == "cancelled"
    assert "cancelled" in line.run("commands", "show", issued["id"])
    followed = line.run("commands", "follow", issued["id"], code=1)
    assert "FAILED" in followed

    failed = line.deploy(f"{unique}-f", "-p", "fails=true", code=1)
    again = line.json("commands", "retry", failed["id"], "--wait", code=1)
    assert again["retry_of"] == failed["id"]
    messages = [
        json.loads(text)
        for text in line.run("commands", "follow", again["id"], "--json", code=1).splitlines()
    ]
    assert {m["kind"] for m in messages} == {"log", "command"}
    assert line.json("commands", "events", again["id"])["items"]
    line.run("commands", "retry", line.deploy(f"{unique}-g")["id"], code=6)


def test_deployment_events_when_something_changes_then_it_is_told(line: Line, unique: str) -> None:
    line.deploy(unique)
    with line.start("deployments", "events", "--json") as process:
        try:
            told = (json.loads(text) for text in process.stdout)
            assert next(d["health"] for d in told if d["name"] == unique) == "running"
            line.deploy(unique, "--phase", "stop")
            assert next(d["health"] for d in told if d["name"] == unique and d["health"] == "stopped")
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130


def test_remove_when_it_is_confirmed_and_not_changed_meanwhile_then_it_goes(line: Line, unique: str) -> None:
    line.deploy(unique)
    asked = line.run("deployments", "remove", unique, code=1)
    assert "its data volumes are kept" in asked
    gone = line.json("deployments", "remove", unique, "--yes", "--wait")
    assert gone["deployment"]["state_name"] == "REMOVED"


def test_plans_when_made_from_specs_then_checked_first_and_retired_at_last(
    line: Line, unique: str, tmp_path: Path
) -> None:
    name = f"p{unique}"
    specs = tmp_path / "specs.yml"
    specs.write_text(yaml.safe_dump([{"name": name, "configuration": NAME, "title": "One"}]))
    assert "+title: One" in line.run("createservice", "--specs", str(specs), "--check")
    line.run("plans", "show", name, code=5)
    assert line.json("createservice", "--specs", str(specs))["items"][0]["title"] == "One"
    assert "Nothing would change." in line.run("createservice", "--specs", str(specs), "--check")
    specs.write_text(yaml.safe_dump({"name": name, "configuration": NAME, "title": "Two"}))
    changed = line.run("createservice", "--specs", str(specs), "--check")
    assert "-title: One" in changed
    assert "+title: Two" in changed
    assert "words" in line.run("listservices", name)
    assert NAME in line.run("configurations")
    line.run("plans", "retire", name, "--yes")
    line.run("plans", "show", name, code=5)


def test_people_when_an_admin_makes_them_then_keys_and_projects_too(line: Line, unique: str) -> None:
    made = line.json("users", "create", unique, "--project", "default", "--email", "a@example.org")
    assert (made["projects"], made["email"]) == (["default"], "a@example.org")
    key = line.json("keys", "create", "laptop", "--user", unique)["key"]
    assert line.run("whoami", LABYARD_API_KEY=key).count(unique) == 1
    line.run("users", "list", code=4, LABYARD_API_KEY=key)
    line.run("keys", "revoke", "laptop", "--user", unique)
    line.run("whoami", code=4, LABYARD_API_KEY=key)
    project = line.json("projects", "create", f"{unique}-lab", "--member", unique)
    assert project["members"] == [unique]
    assert line.json("projects", "members", f"{unique}-lab", "--remove", unique)["members"] == []
    assert line.json("users", "change", unique, "--admin", "--no-mail")["is_admin"] is True
    line.run("users", "disable", unique, "--yes")
    assert line.json("users", "show", unique)["active"] is False


def test_deploy_when_an_admin_does_it_for_somebody_then_it_is_theirs_and_no_key_was_made(
    line: Line, unique: str
) -> None:
    line.json("users", "create", unique, "--project", "default")
    made = line.deploy(unique, "--user", unique)
    theirs = line.json("deployments", "show", unique, "--user", unique)
    assert (theirs["owner"], made["issuer"]) == (unique, "admin")
    stopped = line.deploy(unique, "--user", unique, "--phase", "stop")
    assert (stopped["issuer"], stopped["deployment"]["health"]) == ("admin", "stopped")
    assert line.json("keys", "list", "--user", unique)["items"] == []
    assert "command install" in line.run("audit", "--user", "admin", "--action", "command install")


def test_operators_when_they_look_then_each_list_is_there(line: Line) -> None:
    assert all(worker["alive"] for worker in line.json("workers")["items"])
    assert "yes" in line.run("workers")
    line.run("orphans", "list")
    line.run("orphans", "repair", "2147483647", "--action", "forget", "--yes", code=5)


def test_webhooks_when_made_changed_and_deleted_then_listed(line: Line) -> None:
    made = line.json("webhooks", "create", "https://hooks.example.org/labyard")
    assert made["secret"]
    assert made["id"] in line.run("webhooks", "list")
    assert line.json("webhooks", "change", made["id"], "--paused")["active"] is False
    line.run("webhooks", "notices", made["id"])
    line.run("webhooks", "delete", made["id"])
    line.run("webhooks", "notices", made["id"], code=5)


def test_lists_when_longer_than_the_limit_then_that_is_said_and_all_can_be_had(
    line: Line, unique: str
) -> None:
    for number in range(2):
        line.deploy(f"{unique}-{number}")
    assert "There are more" in line.run("deployments", "list", "--search", unique, "--limit", "1")
    assert len(line.json("deployments", "list", "--search", unique, "--limit", "1")["items"]) == 1
    assert len(line.json("deployments", "list", "--search", unique, "--limit", "0")["items"]) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_when_asked_for_then_code_and_names(line: Line, shell: str) -> None:
    code = line.run("completion", shell)
    assert f"_LABYARD_COMPLETE={shell}_complete" in code


def test_completion_when_a_name_is_begun_then_the_console_is_asked(line: Line, unique: str) -> None:
    line.deploy(unique)
    words = {"_LABYARD_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    assert line.run(COMP_WORDS=f"labyard deployments show {unique[:6]}", **words) == f"plain,{unique}\n"
    away = {**words, "LABYARD_URL": "http://127.0.0.1:1"}
    assert line.run(COMP_WORDS=f"labyard deployments show {unique[:6]}", **away).strip() == ""
