"""What operators do with the platform while people work on it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor, wait

from tests.cluster.platform import APPS, Platform
from tests.integration.jupyter import ask, open_kernel


def test_upgrade_when_a_websocket_is_open_then_it_stays_open(platform: Platform) -> None:
    deployment = platform.deploy("ada", "open-while-upgraded")
    origin = f"https://{deployment}.{APPS}"
    browser = platform.signed_in("ada")
    browser.get(f"{origin}/lab")
    with open_kernel(origin, "", cookie=browser.cookies_for(f"{origin}/"), ca=platform.ca) as channel:
        assert ask(channel, "kept = 6 * 7") == ""
        # a new version is new containers of console and hub; a changed limit is that as well
        changed = (
            "console_web_memory_limit=504 console_worker_memory_limit=764 jupyterhub_hub_memory_limit=1004"
        )
        with ThreadPoolExecutor(1) as pool:
            upgrade = pool.submit(platform.play, "playbooks/upgrade.yml", "-e", changed)
            # As browsers do, it answers the server's pings, for which it has to read.
            while not upgrade.done():
                assert ask(channel, "kept") == "42"
                wait([upgrade], timeout=1)
        said = upgrade.result()
        assert ask(channel, "kept") == "42"
    assert re.search(r"service labyard-console_web: 2 of 2 run", said)
    platform.remove(deployment)


def test_secrets_when_rotated_then_people_still_come_in(platform: Platform) -> None:
    before = platform.folder / "platform" / "secrets" / "queue"
    old = before.read_text("utf-8")
    platform.play("playbooks/rotate_secrets.yml")
    assert before.read_text("utf-8") != old
    deployment = platform.deploy("ada", "after-new-secrets")
    assert platform.signed_in("ada").get(f"https://{deployment}.{APPS}/lab").status_code == 200
    platform.remove(deployment)
    ada = platform.at_the_hub("ada")
    ada.start()
    ada.stop()


def test_node_when_drained_then_is_empty_until_it_is_let_in_again(platform: Platform) -> None:
    platform.play("playbooks/drain.yml", "-e", "node=node1")
    assert platform.on("node1", "docker", "ps", "--quiet") == ""
    platform.play("playbooks/site.yml", "--tags", "preflight,always")
    seen = platform.on("node3", "docker", "node", "inspect", "--format", "{{.Spec.Availability}}", "node1")
    assert seen.strip() == "drain"
    platform.play("playbooks/activate.yml", "-e", "node=node1")
    seen = platform.on("node3", "docker", "node", "inspect", "--format", "{{.Spec.Availability}}", "node1")
    assert seen.strip() == "active"


def test_node_when_taken_away_and_added_again_then_is_whole(platform: Platform) -> None:
    platform.play("playbooks/remove_node.yml", "-e", "node=node1")
    names = platform.on("node3", "docker", "node", "ls", "--format", "{{.Hostname}}").split()
    assert sorted(names) == ["node2", "node3"]
    platform.play("playbooks/add_node.yml", "-e", "node=node1")
    names = platform.on("node3", "docker", "node", "ls", "--format", "{{.Hostname}}").split()
    assert sorted(names) == ["node1", "node2", "node3"]
    platform.play("playbooks/status.yml")
