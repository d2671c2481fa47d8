"""A role from a git repository, ordered as a plan: its form, its run, its commit, the notice of its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from standardwebhooks import Webhook as Verifier

from tests.conftest import RunningConsole, wait_until
from tests.unit.catalog.git_server import GitServer
from tests.unit.catalog.roles import SIDECAR, SPECS, role_files
from tests.unit.notices.receiver import receiving

ECHO = "site.services.echo"


def make_plan(site: RunningConsole, git_server: GitServer, name: str, ref: str = "main") -> dict[str, Any]:
    """A plan of the role in the repository `name`, once it was fetched."""
    source = {"repository": git_server.url(name), "ref": ref, "path": "roles/echo"}
    answer = site.call("POST", "plans", {"name": name, "configuration": ECHO, "source": source})
    assert answer.status_code in (200, 201), answer.text

    def fetched() -> dict[str, Any] | None:
        shown: dict[str, Any] = site.call("GET", f"plans/{name}").json()
        return shown if "being fetched" not in shown["unavailable_reason"] else None

    found: dict[str, Any] = wait_until(fetched, 60, "the plan was fetched")
    return found


def test_role_from_a_repository_is_deployed_as_a_plan(
    site: RunningConsole, git_server: GitServer, unique: str
) -> None:
    commit = git_server.commit(unique, role_files("roles/echo", message="From git."))
    plan = make_plan(site, git_server, unique)
    assert plan["available"], plan
    schema = site.call("GET", f"plans/{unique}/schema").json()
    assert list(schema["properties"]) == ["text"]
    refused = site.call(
        "POST", "commands", {"plan": unique, "phase": "install", "name": "x", "params": {"nothing": 1}}
    )
    assert refused.status_code == 422
    done = site.finish(site.issue(plan=unique, phase="install", name=unique, params={"text": "hi"}))
    assert (done["state"], done["message"]) == (5, "From git."), done
    assert [task["state"] for task in done["tasks"]] == [5, 5]
    recorded = site.query("SELECT source_commit FROM commands WHERE id = :id", id=done["id"])
    assert recorded == [(commit,)]
    # The branch moves: the next run takes what is there then.
    moved = git_server.commit(unique, role_files("roles/echo", message="Changed."))
    again = site.finish(site.issue(deployment=done["deployment"]["id"], phase="install"))
    assert again["message"] == "Changed.", again
    recorded = site.query("SELECT source_commit FROM commands WHERE id = :id", id=again["id"])
    assert recorded == [(moved,)]
    gone = site.finish(site.issue(deployment=done["deployment"]["id"], phase="remove"))
    assert (gone["state"], gone["message"]) == (5, "Gone."), gone


def test_repository_that_is_not_there_is_said_and_others_go_on(
    site: RunningConsole, git_server: GitServer, unique: str
) -> None:
    plan = make_plan(site, git_server, unique)
    assert not plan["available"]
    assert "could not be fetched" in plan["unavailable_reason"]
    refused = site.call("POST", "commands", {"plan": unique, "phase": "install", "name": "x"})
    assert refused.status_code == 409
    assert "could not be fetched" in refused.json()["detail"]
    for path in ("plans", "configurations", "deployments"):
        assert site.call("GET", path).status_code == 200
    git_server.commit(unique, role_files("roles/echo", specs=SPECS, sidecar=SIDECAR))
    site.query("UPDATE plans SET fetched_at = NULL WHERE name = :name", name=unique)  # its minute is over
    wait_until(lambda: site.call("GET", f"plans/{unique}").json()["available"], 60, "the plan is back")


def test_webhook_is_told_of_the_end(site: RunningConsole, git_server: GitServer, unique: str) -> None:
    git_server.commit(unique, role_files("roles/echo"))
    make_plan(site, git_server, unique)
    with receiving() as receiver:
        made = site.call("POST", "webhooks", {"url": receiver.url()})
        assert made.status_code == 201, made.text
        done = site.finish(site.issue(plan=unique, phase="install", name=unique))
        wait_until(lambda: receiver.got, 30, "the webhook was called")
        site.call("DELETE", f"webhooks/{made.json()['id']}")
    _, headers, body = receiver.got[0]
    told = Verifier(made.json()["secret"]).verify(body, headers)
    assert told["type"] == "command.completed"
    assert told["data"]["command"]["id"] == done["id"]
    assert str(Path(site.home)) not in body.decode()
