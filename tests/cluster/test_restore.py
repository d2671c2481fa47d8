"""All hosts are lost: the platform comes back from its backup on bare ones, with people and their work."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.cluster.loss import kept_images, lose_everything, make_bare_machines
from tests.cluster.platform import APPS, Platform, hub_origin
from tests.integration.jupyter import compute

KEEP = "from pathlib import Path; Path('kept').write_text('yes')"
KEPT = "open('kept').read()"


def test_platform_when_all_hosts_are_lost_then_it_comes_back_with_people_and_their_work(
    platform: Platform, record_property: pytest.RecordProperty
) -> None:
    before = saved_by_people(platform)
    platform.play("playbooks/backup.yml")
    record_property("repository_mebibytes", repository_size(platform) >> 20)
    with kept_images(platform) as images:
        lose_everything(platform)
        make_bare_machines(platform, images)
    begin = time.monotonic()
    platform.play("playbooks/restore.yml")
    seconds = round(time.monotonic() - begin)
    record_property("restore_seconds", seconds)
    print(f"restored in {seconds} s")

    now = {row["id"]: row for row in platform.ask("GET", "deployments").json()["items"]}
    assert now[before["running"]]["health"] == "running"
    assert now[before["stopped"]]["health"] == "missing"
    assert people(platform) == before["people"]
    assert in_console(platform, before["running"], KEPT) == "'yes'"
    ada = platform.at_the_hub("ada")
    ada.start()
    assert ada.compute(hub_origin("ada"), KEPT) == "'yes'"
    ada.stop()
    assert "failed=0" in platform.play("playbooks/site.yml")
    for deployment in (before["running"], before["stopped"]):
        platform.remove(deployment)


def saved_by_people(platform: Platform) -> dict[str, Any]:
    """What is there before the loss: a notebook that runs, one that is stopped, one at the hub."""
    for name in ("ada", "bob"):
        platform.signed_in(name)
    running, stopped = platform.deploy("ada", "still-running"), platform.deploy("bob", "stopped-before")
    assert in_console(platform, running, KEEP) == "3"
    asked = platform.ask("POST", "commands", json={"deployment": stopped, "phase": "stop"})
    platform.wait_for_command(asked.json()["id"])
    ada = platform.at_the_hub("ada")
    ada.start()
    assert ada.compute(hub_origin("ada"), KEEP) == "3"
    return {"running": running, "stopped": stopped, "people": people(platform)}


def people(platform: Platform) -> list[str]:
    """Who is known to the console."""
    return sorted(row["username"] for row in platform.ask("GET", "users").json()["items"])


def in_console(platform: Platform, deployment: str, code: str) -> str:
    """What ada's notebook of the console says to some code."""
    origin = f"https://{deployment}.{APPS}"
    browser = platform.signed_in("ada")
    browser.get(f"{origin}/lab")
    return compute(origin, "", code, cookie=browser.cookies_for(f"{origin}/"), ca=platform.ca)


def repository_size(platform: Platform) -> int:
    """Bytes that all snapshots take."""
    listed = platform.on(
        platform.groups["database"][0], "du", "--summarize", "--bytes", "/srv/shared/backups"
    )
    return int(json.loads(listed.split()[0]))
