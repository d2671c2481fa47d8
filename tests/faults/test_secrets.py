"""No secret is to be read in a process list, a log, a file, a database, a queue or an answer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.conftest import wait_until

from .house import House, Servers, open_house
from .spy import Spy, find_in_files, write_dumps

_ANSWERS = ("commands", "deployments?removed=true", "audit", "user", "user/keys", "workers", "plans", "users")


def post(house: House, path: str, body: Any = None) -> dict[str, Any]:
    """A call whose answer holds a secret, under a key: the answer is kept for a day."""
    headers = {"Authorization": f"Bearer {house.console.api_key}", "Idempotency-Key": path}
    answer = requests.post(f"{house.console.url}/api/v1/{path}", json=body, headers=headers, timeout=30)
    assert answer.ok, answer.text
    document: dict[str, Any] = answer.json()
    return document


def carry_out(house: House, **body: Any) -> dict[str, Any]:
    """A command that is completed."""
    ended = house.console.finish(house.console.issue(**body))
    assert ended["state"] == 5, ended
    return ended


def carry_out_with_a_kill(house: House, **body: Any) -> dict[str, Any]:
    """A command whose run is killed in the midst of its work, and run again by itself."""
    command = house.console.issue(**body)

    def has_begun() -> bool:
        marks = house.marks / f"{body['deployment']}.marks"
        return f"{command['id']}-1 update work" in marks.read_text(encoding="ascii")

    wait_until(has_begun, 60, f"it works: {house.logs()}")
    for process in house.run_processes(command["id"]):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    ended = house.console.finish(command)
    assert (ended["state"], ended["attempts"]) == (5, 2), ended
    return ended


@pytest.mark.parametrize("servers", ["sqlite", "postgresql"], indirect=True)
def test_secrets_when_everything_is_searched_then_none_is_found(
    servers: Servers | None, tmp_path: Path
) -> None:
    with open_house(tmp_path / "house", servers) as house:
        first = carry_out(house, plan=house.plan, phase="install", name="secret", params={})
        deployment = first["deployment"]["id"]
        house.secrets.add(post(house, f"deployments/{deployment}/access")["token"])
        house.secrets.add(post(house, "user/keys", {"name": "second"})["key"])
        with Spy(house).at_work() as spy:
            second = carry_out(house, deployment=deployment, phase="update", params={"seconds": 1})
            third = carry_out_with_a_kill(house, deployment=deployment, phase="update", params={"seconds": 5})
        assert spy.looks > 5
        assert not spy.seen
        fourth = carry_out(house, deployment=deployment, phase="remove")
        commands = [ended["id"] for ended in (first, second, third, fourth)]
        paths = [*_ANSWERS, *(f"commands/{c}/{part}" for c in commands for part in ("events", "tasks"))]
        answers = {path: house.console.call("GET", path) for path in paths}
        if servers is not None:
            write_dumps(house, servers, tmp_path / "dumps")
    assert all(answer.ok for answer in answers.values()), answers
    assert not [p for p, answer in answers.items() if any(s in answer.text for s in house.secrets)]
    places = [house.console.home, house.marks, *([tmp_path / "dumps"] if servers else [])]
    assert not [path for place in places for path in find_in_files(place, house.secrets)]
