"""The notebook service by playbooks/service.yml, on the real swarm, with the real image."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import jsonschema
import pytest
import requests

from tests.conftest import wait_until
from tests.integration.jupyter import compute, server_status
from tests.integration.notebook_play import (
    PORTS,
    ROOT,
    STACK_LABEL,
    TOKEN,
    Deployment,
    Outcome,
    deployment,
)

SCHEMA = json.loads(
    (ROOT / "collection/plugins/module_utils/_request/labyard_result.schema.json").read_text()
)
NOTE = "from pathlib import Path; note = Path.home() / 'note'"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A notebook that runs; every test that uses it leaves it running."""
    with deployment(tmp_path_factory.mktemp("notebook") / "private") as one:
        succeed(one.run("install", environment={"GREETING": "hello $HOME"}, memory_limit=768))
        yield one


def succeed(outcome: Outcome) -> dict[str, Any]:
    """The result of a play that must have succeeded without a word about the token."""
    assert outcome.code == 0, outcome.output
    assert TOKEN not in outcome.output
    jsonschema.validate(outcome.result, SCHEMA)
    return outcome.result


def refuse(outcome: Outcome) -> str:
    """The cause that a play gave that must have failed: one or two sentences, no stack trace."""
    assert outcome.code != 0, outcome.output
    assert outcome.result == {}
    assert "Traceback" not in outcome.output
    assert TOKEN not in outcome.output
    assert outcome.message.endswith(".")
    return outcome.message


def service(one: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = docker.from_env().api.inspect_service(f"{one.stack}_notebook")
    return found


def base_url(one: Deployment) -> str:
    return f"http://127.0.0.1:{service(one)['Spec']['EndpointSpec']['Ports'][0]['PublishedPort']}"


def test_install_then_the_notebook_answers_and_computes(notebook: Deployment) -> None:
    url = base_url(notebook)
    assert PORTS[0] <= int(url.rpartition(":")[2]) <= PORTS[1]
    assert server_status(url, TOKEN).json()["kernels"] == 0
    assert server_status(url, "another").status_code == 403
    code = "import os; print(6 * 7, os.environ['GREETING'], os.getcwd())"
    assert compute(url, TOKEN, code) == "42 hello $HOME /home/labyard\n"


def test_install_then_every_object_carries_the_labels(notebook: Deployment) -> None:
    api = docker.from_env().api
    left = notebook.leftovers()
    assert sorted(left) == ["configs", "containers", "networks", "secrets", "services", "volumes"]
    found = {
        "service": service(notebook)["Spec"]["Labels"],
        "network": api.inspect_network(left["networks"][0])["Labels"],
        "secret": api.inspect_secret(left["secrets"][0])["Spec"]["Labels"],
        "port": api.inspect_config(left["configs"][0])["Spec"]["Labels"],
        "volume": api.inspect_volume(left["volumes"][0])["Labels"],
        "container": api.inspect_container(left["containers"][0])["Config"]["Labels"],
    }
    for kind, labels in found.items():
        assert labels.items() >= notebook.labels.items(), kind
        assert labels[STACK_LABEL] == notebook.stack, kind


def test_install_then_size_network_and_port_are_as_asked(notebook: Deployment) -> None:
    spec = service(notebook)["Spec"]
    template = spec["TaskTemplate"]
    assert template["Resources"]["Limits"] == {"NanoCPUs": 10**9, "MemoryBytes": 768 * 2**20}
    assert template["Resources"]["Reservations"] == {"NanoCPUs": 10**8, "MemoryBytes": 768 * 2**20}
    assert template["RestartPolicy"]["Condition"] == "on-failure"
    assert spec["EndpointSpec"]["Mode"] == "dnsrr"
    assert spec["EndpointSpec"]["Ports"][0]["PublishMode"] == "host"
    assert "current" not in template["ContainerSpec"]["Image"]


def test_install_when_it_runs_already_then_nothing_changes(notebook: Deployment) -> None:
    before = service(notebook)["Version"]
    outcome = notebook.run("install", environment={"GREETING": "hello $HOME"}, memory_limit=768)
    result = succeed(outcome)
    assert outcome.changed == 0
    assert service(notebook)["Version"] == before
    url = base_url(notebook) + "/lab"
    assert result["endpoints"] == [{"name": "JupyterLab", "url": url, "access": "token"}]
    assert url in result["message"]


def test_install_in_check_mode_then_a_change_is_told_and_not_made(notebook: Deployment) -> None:
    before = service(notebook)["Version"]
    outcome = notebook.play(notebook.request("install", memory_limit=640), "--check")
    succeed(outcome)
    assert outcome.changed > 0
    assert service(notebook)["Version"] == before


def test_check_when_it_runs_then_running(notebook: Deployment) -> None:
    outcome = notebook.run("check")
    result = succeed(outcome)
    assert (outcome.changed, result["health"]) == (0, "running")
    assert result["services"][0]["running"] == 1
    assert result["volumes"] == [{"name": f"{notebook.stack}_home", "kept": True}]


def test_scale_then_only_the_size_changes(notebook: Deployment) -> None:
    url = base_url(notebook)
    compute(url, TOKEN, f"{NOTE}; note.write_text('scaled')")
    before = service(notebook)["Spec"]["TaskTemplate"]["ContainerSpec"]
    succeed(notebook.run("scale", cpu_limit=0.5))
    template = service(notebook)["Spec"]["TaskTemplate"]
    limits = template["Resources"]["Limits"]
    assert (limits["NanoCPUs"], limits["MemoryBytes"] % 2**20) == (5 * 10**8, 0)
    assert template["ContainerSpec"] == before
    assert compute(url, TOKEN, f"{NOTE}; print(note.read_text())") == "scaled\n"


def test_update_then_what_was_not_named_stays(notebook: Deployment) -> None:
    url = base_url(notebook)
    memory = service(notebook)["Spec"]["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"]
    succeed(notebook.run("update", environment={"GREETING": "$ again"}, idle_timeout=90))
    assert base_url(notebook) == url
    template = service(notebook)["Spec"]["TaskTemplate"]
    assert template["Resources"]["Limits"]["MemoryBytes"] == memory
    assert {"GREETING=$ again", "LABYARD_IDLE_TIMEOUT=90"} <= set(template["ContainerSpec"]["Env"])
    assert compute(url, TOKEN, "import os; print(os.environ['GREETING'])") == "$ again\n"
    again = notebook.run("update", idle_timeout=90)
    succeed(again)
    assert again.changed == 0


def test_stop_and_start_then_files_token_and_address_stay(notebook: Deployment) -> None:
    url = base_url(notebook)
    compute(url, TOKEN, f"{NOTE}; note.write_text('kept')")
    stopped = succeed(notebook.run("stop"))
    assert (stopped["health"], stopped["endpoints"]) == ("stopped", [])
    assert notebook.run("stop").changed == 0
    assert succeed(notebook.run("check"))["health"] == "stopped"
    started = succeed(notebook.run("start"))
    assert (started["health"], started["endpoints"][0]["url"]) == ("running", f"{url}/lab")
    assert compute(url, TOKEN, f"{NOTE}; print(note.read_text())") == "kept\n"
    assert notebook.run("start").changed == 0


def test_start_when_it_ended_by_itself_then_it_runs_again(notebook: Deployment) -> None:
    url = base_url(notebook)
    assert server_status(url, TOKEN).ok
    end_by_itself(notebook)
    assert succeed(notebook.run("check"))["health"] == "stopped"
    assert succeed(notebook.run("start"))["health"] == "running"
    assert server_status(url, TOKEN).ok


def end_by_itself(one: Deployment) -> None:
    """Let the server of the notebook end without an error, as its idle time-out does."""
    who = {"Authorization": f"token {TOKEN}"}
    requests.post(f"{base_url(one)}/api/shutdown", headers=who, timeout=60).raise_for_status()
    wait_until(lambda: one.task_state() == "complete", 60, "the notebook ended by itself")


def test_notebook_that_its_machine_ended_then_the_swarm_starts_it_again(notebook: Deployment) -> None:
    def containers() -> list[Any]:
        name = f"com.docker.swarm.service.name={notebook.stack}_notebook"
        found: list[Any] = docker.from_env().containers.list(filters={"label": name, "health": "healthy"})
        return found

    (before,) = containers()
    before.kill(signal="TERM")  # what a container gets when its engine or its node goes down
    wait_until(lambda: [c for c in containers() if c.id != before.id], 60, "another one runs")
    assert server_status(base_url(notebook), TOKEN).ok


def test_remove_then_only_the_volume_stays_until_it_is_named(tmp_path: Path) -> None:
    with deployment(tmp_path / "private") as one:
        succeed(one.run("install"))
        compute(base_url(one), TOKEN, f"{NOTE}; note.write_text('mine')")

        home = f"{one.stack}_home"
        assert succeed(one.run("remove"))["volumes"] == [{"name": home, "kept": True}]
        assert one.remains() == {"volumes": [home]}
        assert one.run("remove").changed == 0
        assert succeed(one.run("check"))["health"] == "missing"

        succeed(one.run("install"))
        assert compute(base_url(one), TOKEN, f"{NOTE}; print(note.read_text())") == "mine\n"
        result = succeed(one.run("remove", keep_data=False))
        assert (result["health"], result["volumes"]) == ("missing", [{"name": home, "kept": False}])
        assert one.remains() == {}


def test_remove_when_the_secrets_were_kept_here_then_they_are_forgotten(tmp_path: Path) -> None:
    one = Deployment(tmp_path)
    kept = tmp_path / "home" / "secrets" / one.id
    kept.mkdir(mode=0o700, parents=True)
    (kept / "token").write_text(TOKEN)
    request = one.request("remove")
    del request["secrets"]
    succeed(one.play(request))
    assert not kept.exists()


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("update", "no notebook to change"),
        ("scale", "no notebook to resize"),
        ("start", "no notebook to start"),
        ("stop", "no service 'notebook'"),
    ],
)
def test_phase_when_there_is_no_notebook_then_says_so(tmp_path: Path, phase: str, words: str) -> None:
    with deployment(tmp_path / "private") as one:
        assert words in refuse(one.run(phase))


def test_install_when_the_image_is_not_there_then_says_how_to_make_it(tmp_path: Path) -> None:
    with deployment(tmp_path / "private", notebook_image_prefix="test-no-such") as one:
        cause = refuse(one.run("install"))
        assert "test-no-such/notebook-minimal:current" in cause
        assert "make up" in cause
        assert one.remains() == {}


def test_install_when_no_node_has_the_memory_then_says_so(tmp_path: Path) -> None:
    with deployment(tmp_path / "private") as one:
        assert "memory" in refuse(one.run("install", memory_limit=1024 * 1024)).lower()
        assert one.remains() == {}


def test_install_when_no_node_has_the_cores_then_says_so(tmp_path: Path) -> None:
    with deployment(tmp_path / "private", notebook_cpu_reservation_ratio=0.01) as one:
        assert "cpu" in refuse(one.run("install", cpu_limit=64)).lower()
        assert one.remains() == {}


def test_install_when_the_ports_are_used_up_then_says_who_has_them(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with deployment(tmp_path / "private", notebook_port_range=[port, port]) as one:
            cause = refuse(one.run("install"))
            assert f"all 1 from {port} to {port} are taken (1 by other programs" in cause
            assert one.remains() == {}


def test_install_when_it_crashes_again_and_again_then_the_log_tells_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    with deployment(tmp_path / "private") as one:
        # Without an index no package can be found: quick, and nobody else is asked.
        wrong = {"environment": {"PIP_NO_INDEX": "1"}, "pip_packages": ["labyard-test-nothing"]}
        assert "labyard-test-nothing" in refuse(one.run("install", **wrong))
        assert one.remains() == {}
        succeed(one.run("install"))


def test_install_when_a_change_crashes_then_what_ran_runs_on(notebook: Deployment) -> None:
    wrong = {"environment": {"PIP_NO_INDEX": "1"}, "pip_packages": ["labyard-test-nothing"]}
    assert "labyard-test-nothing" in refuse(notebook.run("update", **wrong))
    wait_until(lambda: notebook.task_state() == "running", 60, "the former notebook runs again")
    assert server_status(base_url(notebook), TOKEN).ok
    assert succeed(notebook.run("check"))["health"] == "running"
