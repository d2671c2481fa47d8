"""The stack that the role `monitoring` makes: read by the very programs that it is for."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from labyard.status import Thresholds
from tests.conftest import REPOSITORY
from tests.integration.debian_programs import ensure_program

from .conftest import ROLE, Made, Refused


def check_prometheus(promtool: str, made: Made, folder: Path) -> str:
    """What promtool says about the configuration and its rules."""
    (folder / "rules.yml").write_text(made.config("rules"))
    text = made.config("prometheus").replace("/etc/monitoring/rules.yml", str(folder / "rules.yml"))
    if "hub_token" in made.secrets:
        (folder / "hub_token").write_text(made.secrets["hub_token"])
        text = text.replace("/run/secrets/hub_token", str(folder / "hub_token"))
    (folder / "prometheus.yml").write_text(text)
    done = subprocess.run(
        [promtool, "check", "config", str(folder / "prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_configuration_when_everything_is_watched_then_prometheus_takes_it(
    full: Made, promtool: str, tmp_path: Path
) -> None:
    assert "SUCCESS" in check_prometheus(promtool, full, tmp_path)
    jobs = {job["job_name"]: job for job in yaml.safe_load(full.config("prometheus"))["scrape_configs"]}
    assert set(jobs) == {"nodes", "containers", "parts", "console", "hub", "proxy", "ingress"}
    assert jobs["proxy"]["dns_sd_configs"][0]["names"] == ["tasks.labyard-jupyterhub_proxy"]
    assert jobs["proxy"]["dns_sd_configs"][0]["port"] == 8001
    assert full.secrets["hub_token"] not in json.dumps(full.compose)


def test_configuration_when_nothing_is_said_then_nodes_and_containers_are_watched(
    bare: Made, promtool: str, tmp_path: Path
) -> None:
    check_prometheus(promtool, bare, tmp_path)
    assert set(bare.compose["services"]) == {"prometheus", "nodes", "containers"}
    assert bare.secrets == {}
    assert (
        "ports" not in bare.compose["services"]["prometheus"]
        or not bare.compose["services"]["prometheus"]["ports"]
    )


def test_probes_when_made_then_the_prober_takes_them(full: Made, tmp_path: Path) -> None:
    program = ensure_program(
        "prometheus-blackbox-exporter", "prometheus-blackbox-exporter", "prometheus-blackbox-exporter"
    )
    (tmp_path / "probes.yml").write_text(full.config("probes"))
    subprocess.run([program, f"--config.file={tmp_path / 'probes.yml'}", "--config.check"], check=True)
    modules = yaml.safe_load(full.config("probes"))["modules"]
    assert modules["watch_directory"]["tcp"]["tls_config"]["server_name"] == "ldap.test"
    assert modules["watch_ingress"]["http"]["headers"]["Host"] == "labyard.example.org"
    assert not modules["watch_database"]["tcp"]["tls"]


def test_alertmanager_when_configured_then_it_takes_it(full: Made, tmp_path: Path) -> None:
    program = ensure_program("amtool", "prometheus-alertmanager", "prometheus-alertmanager")
    (tmp_path / "alertmanager.yml").write_text(full.secrets["alertmanager"])
    subprocess.run([program, "check-config", str(tmp_path / "alertmanager.yml")], check=True)
    alerting = yaml.safe_load(full.config("prometheus"))["alerting"]["alertmanagers"]
    assert alerting[0]["static_configs"][0]["targets"] == ["labyard-monitoring_alertmanager:9093"]


@pytest.mark.parametrize("which", ["full", "bare"])
def test_stack_when_read_then_swarm_stack_knows_all_of_it(
    request: pytest.FixtureRequest, which: str, tmp_path: Path
) -> None:
    made: Made = request.getfixturevalue(which)
    compose = copy.deepcopy(made.compose)
    for name, secret in compose["secrets"].items():
        secret["file"] = str(tmp_path / name)
        (tmp_path / name).write_text(made.secrets[name])
    stack, warnings = load_stack([compose], Naming("labyard-monitoring"), variables=None, unsupported="error")
    assert warnings == []
    assert set(stack.secrets) == {f"labyard-monitoring_{name}" for name in made.secrets}
    nodes = stack.services["labyard-monitoring_nodes"]
    assert nodes["TaskTemplate"]["ContainerSpec"]["Hostname"] == "{{.Node.Hostname}}"
    for name, service in stack.services.items():
        wanted = {"labyard-monitoring_default"}
        if which == "full" and name.endswith("_prometheus"):
            wanted.add("labyard_edge")
        assert {network["Target"] for network in service["TaskTemplate"]["Networks"]} == wanted, name


def test_probe_when_scheduled_then_one_line_of_cron(make: Callable[..., Made]) -> None:
    made = make(monitoring_probe_options=["-p", "environment=50%", "--warning", "30"])
    assert made.probe == (
        "LABYARD_CREDENTIALS=/etc/labyard/probe.json flock --nonblock /run/lock/labyard-monitoring-probe "
        "/opt/labyard/venv/bin/labyard probe --service notebook "
        "--textfile /var/lib/labyard/metrics/labyard-monitoring-probe.prom "
        "-p environment=50\\% --warning 30 >/dev/null"
    )


def test_probe_when_it_has_a_key_then_it_is_a_service(make: Callable[..., Made]) -> None:
    made = make(monitoring_probe_key="lyk_a-key", monitoring_probe_options=["-p", "environment=a b"])
    service = made.compose["services"]["probe"]
    assert json.loads(made.secrets["probe"]) == {
        "url": "http://labyard-console_web:8080",
        "api_key": "lyk_a-key",
    }
    assert "lyk_a-key" not in json.dumps(made.compose)
    (loop,) = service["command"]
    assert "-p 'environment=a b' & wait $!; sleep 600 &" in " ".join(loop.split())
    subprocess.run(["sh", "-n", "-c", loop], check=True)


def test_passwords_when_given_in_clear_then_prometheus_gets_their_hash(make: Callable[..., Made]) -> None:
    password = "a password of 24 letters or more"
    twice = [make(monitoring_passwords={"operator": password}) for _ in range(2)]
    users = json.loads(twice[0].secrets["web"])["basic_auth_users"]
    assert bcrypt.checkpw(password.encode(), users["operator"].encode())
    assert twice[0].secrets == twice[1].secrets


def test_flags_when_made_then_the_programs_know_them(full: Made) -> None:
    for service in full.compose["services"].values():
        program = service["command"][0].replace("start-monitoring", "prometheus")
        if program == "python3":
            continue
        packages = {"prometheus": "prometheus"}
        path = ensure_program(program, packages.get(program, program), program)
        known = subprocess.run([path, "--help"], capture_output=True, text=True)
        flags = [option.partition("=")[0] for option in service["command"][1:]]
        unknown = [flag for flag in flags if flag not in known.stdout + known.stderr]
        assert unknown == [], program


def test_containers_when_made_then_they_can_do_little(full: Made) -> None:
    for name, service in full.compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert (service["user"] == "0:0") == (name == "containers"), name
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or mount["read_only"] is True
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert service["healthcheck"]["test"][0] == "CMD"


def test_exporters_when_made_then_the_swarm_tells_them_their_node(full: Made) -> None:
    assert full.compose["services"]["nodes"]["hostname"] == "{{.Node.Hostname}}"
    assert full.compose["services"]["nodes"]["deploy"]["mode"] == "global"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"monitoring_port": 9090}, "Set monitoring_users"),
        ({"monitoring_networks": ["labyard_edge"]}, "runs something in one of the networks labyard_edge"),
        ({"monitoring_users": {"ops": "secret"}}, "as bcrypt has them"),
        ({"monitoring_passwords": {"ops": "secret"}}, "24 to 72 characters"),
        ({"monitoring_parts": [{"name": "x"}]}, "Wrong: x"),
        ({"monitoring_parts": [{"name": "Bad Name", "url": "http://x/"}]}, "Wrong: Bad Name"),
        ({"monitoring_services": {"proxy": "nowhere"}}, "SERVICE:PORT"),
        ({"monitoring_certificate": "/no/such/file"}, "must be files"),
    ],
)
def test_role_when_settings_do_not_fit_then_refused_with_what_to_do(
    make: Callable[..., Made], variables: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused) as refused:
        make(**variables)
    assert words in " ".join(str(refused.value).split())


def test_thresholds_when_compared_with_those_of_the_console_then_the_same() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    for name, value in vars(Thresholds()).items():
        assert defaults[f"monitoring_{name}"] == value, name


def test_figures_when_an_alert_asks_for_them_then_somebody_gives_them(full: Made) -> None:
    """Names of figures that are our own stand in our own code."""
    code = "".join(
        (REPOSITORY / path).read_text(encoding="utf-8")
        for path in ("web/labyard/statistics.py", "web/labyard/commandline/probing.py")
    )
    asked = set(re.findall(r"\blabyard_[a-z_]+", full.config("rules")))
    ours = {name for name in asked if not name.startswith("labyard_backup_")}
    assert ours
    assert [name for name in sorted(ours) if name not in code] == []
