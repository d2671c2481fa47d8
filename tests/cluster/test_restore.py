"""The platform comes back from its backup: on bare hosts when all are lost, and while it runs as it was."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.cluster.loss import kept_images, lose_everything, make_bare_machines
from tests.cluster.platform import APPS, Platform, hub_origin
from tests.conftest import wait_until
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


def test_platform_when_led_back_in_time_then_is_as_it_was_saved(platform: Platform) -> None:
    kept = platform.deploy("ada", "saved-then")
    assert in_console(platform, kept, KEEP) == "3"
    platform.play("playbooks/backup.yml")
    later = platform.deploy("bob", "made-since")
    for deployment in (kept, later):  # nothing may work with homes that are replaced
        change(platform, deployment, "stop")
    platform.play("playbooks/restore.yml", "-e", "restore_existing=replace")

    known = {row["id"] for row in platform.ask("GET", "deployments").json()["items"]}
    assert kept in known
    assert later not in known
    change(platform, kept, "start")
    assert in_console(platform, kept, KEPT) == "'yes'"
    # what was made since is shown as nobody's
    stack = f"notebook-{later}"
    wait_until(lambda: stack in orphans(platform), 90, f"{stack} is an orphan")
    platform.ask("POST", f"orphans/{orphans(platform)[stack]}/repair", json={"action": "remove"})
    wait_until(lambda: stack not in orphans(platform), 90, f"{stack} is removed")
    ada = platform.at_the_hub("ada")
    ada.start()
    ada.stop()
    platform.remove(kept)


def change(platform: Platform, deployment: str, phase: str) -> None:
    """Have a phase run for a deployment."""
    asked = platform.ask("POST", "commands", json={"deployment": deployment, "phase": phase})
    platform.wait_for_command(asked.json()["id"])


def orphans(platform: Platform) -> dict[str, int]:
    """Stacks that belong to no deployment: their numbers by name."""
    rows = platform.ask("GET", "orphans").json()["items"]
    return {row["ident"]: row["id"] for row in rows if row["kind"] == "stack"}


def saved_by_people(platform: Platform) -> dict[str, Any]:
    """What is there before the loss: a notebook that runs, one that is stopped, one at the hub."""
    for name in ("ada", "bob"):
        platform.signed_in(name)
    running, stopped = platform.deploy("ada", "still-running"), platform.deploy("bob", "stopped-before")
    assert in_console(platform, running, KEEP) == "3"
    change(platform, stopped, "stop")
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
