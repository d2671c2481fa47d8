"""A deployment whose role is gone, removed by an admin: all that stands on the swarm, and no volume."""

from __future__ import annotations

import docker

from tests.conftest import RunningConsole


def test_remove_when_the_role_is_gone_then_the_stack_goes_and_its_volumes_stay(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    plan = {"name": unique, "configuration": "labyard.platform.notebook"}
    assert console.call("POST", "plans", plan).status_code == 201
    params = {"cpu_limit": 0.2, "memory_limit": 256}
    made = console.finish(console.issue(plan=unique, phase="install", name=unique, params=params))
    assert made["state_name"] == "COMPLETED", made["message"]
    ident = made["deployment"]["id"]
    mine = {"label": f"labyard.deployment={ident}"}
    (volume,) = engine.volumes.list(filters=mine)

    console.query(
        "UPDATE plans SET configuration = :gone WHERE name = :name", gone="labyard.platform.gone", name=unique
    )
    refused = console.call("POST", "commands", {"deployment": ident, "phase": "stop"})
    assert (refused.status_code, "not installed" in refused.json()["detail"]) == (409, True)

    asked = console.call("DELETE", f"deployments/{ident}")
    assert asked.status_code == 202, asked.text
    gone = console.finish(asked.json())
    assert gone["state_name"] == "COMPLETED", gone["message"]
    assert "volumes are kept" in gone["message"]
    assert [task["state_name"] for task in gone["tasks"]] == ["COMPLETED"] * 3
    assert gone["deployment"]["state_name"] == "REMOVED"
    assert [kind.list(filters=mine) for kind in (engine.services, engine.secrets, engine.networks)] == [
        []
    ] * 3
    assert engine.volumes.get(volume.name)
    kept = console.call("GET", "volumes").json()["items"]
    assert volume.name in [item["name"] for item in kept]
