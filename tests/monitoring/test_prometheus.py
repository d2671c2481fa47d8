"""Prometheus with all that the role gives it, as a process: it loads the rules, asks, and lets nobody in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests
import yaml

from tests.conftest import REPOSITORY, free_port, wait_until
from tests.integration.debian_programs import ensure_program, running

from .conftest import ALL, Made

START = REPOSITORY / "collection" / "roles" / "image" / "files" / "monitoring" / "start-monitoring"
OPS = ("ops", "a password for ops")


@dataclass
class Prometheus:
    """One that runs."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of the interface."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=query, auth=OPS, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, query: str) -> list[float]:
        """What a query gives now."""
        return [float(row["value"][1]) for row in self.ask("query", query=query)["result"]]


@contextmanager
def prometheus_of(made: Made, folder: Path) -> Iterator[Prometheus]:
    """The container's own start, with its paths and ports put elsewhere."""
    port, prober = free_port(), free_port()
    for name in ("rules", "probes"):
        (folder / f"{name}.yml").write_text(made.config(name))
    for name, text in made.secrets.items():
        (folder / name).write_text(text)
    config = yaml.safe_load(made.config("prometheus").replace("/run/secrets/", f"{folder}/"))
    config["global"]["scrape_interval"] = config["global"]["evaluation_interval"] = "1s"
    config["global"]["scrape_timeout"] = "1s"
    config["rule_files"] = ["rules.yml"]
    text = yaml.safe_dump(config).replace("127.0.0.1:9115", f"127.0.0.1:{prober}")
    (folder / "prometheus.yml").write_text(text)
    places = {
        "--config.file": folder / "prometheus.yml",
        "--storage.tsdb.path": folder / "data",
        "--web.listen-address": f"127.0.0.1:{port}",
        "--web.config.file": folder / "web",
    }
    given = [o.partition("=") for o in made.compose["services"]["prometheus"]["command"][1:]]
    options = [f"{name}={places.get(name, value)}" for name, _, value in given]
    environment = {
        "LABYARD_PROBES": str(folder / "probes.yml"),
        "LABYARD_PROBER": f"127.0.0.1:{prober}",
        "PATH": f"{os.environ['PATH']}:/usr/bin",
    }
    log = folder / "log"
    command = ["env", *(f"{k}={v}" for k, v in environment.items()), "bash", str(START), *options]
    with running(*command, log=log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), 30, "Prometheus answers")
        yield Prometheus(url, process, log)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", auth=OPS, timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def prometheus(make: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that watches a port that answers (its own neighbour's) and one that does not."""
    for program in ("prometheus", "prometheus-blackbox-exporter"):
        ensure_program(program, program, program)
    hashed = bcrypt.hashpw(OPS[1].encode(), bcrypt.gensalt(4)).decode()
    port = free_port()
    parts = [
        {"name": "directory", "address": "127.0.0.1:1"},
        {"name": "page", "url": f"http://127.0.0.1:{port}/"},
    ]
    made = make(**{**ALL, "monitoring_users": {OPS[0]: hashed}, "monitoring_parts": parts})
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "index.html").write_text("hello")
    page = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with running(*page, log=folder / "page.log"), prometheus_of(made, folder) as found:
        yield found


def test_prometheus_when_nobody_has_signed_in_then_nothing_is_shown(prometheus: Prometheus) -> None:
    for auth in (None, ("ops", "wrong")):
        assert requests.get(f"{prometheus.url}/api/v1/targets", auth=auth, timeout=60).status_code == 401


def test_prometheus_when_started_then_all_rules_are_loaded_and_evaluated(prometheus: Prometheus) -> None:
    def evaluated() -> bool:
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        return len(rules) > 30 and all(rule["health"] == "ok" for rule in rules)

    wait_until(evaluated, 30, "all rules were evaluated without an error")


def test_parts_when_asked_then_it_is_known_which_answer(prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.values('probe_success{part="page"}') == [1], 30, "the page answers")
    wait_until(lambda: prometheus.values('probe_success{part="directory"}') == [0], 30, "the other does not")

    def pending() -> bool:
        alerts = prometheus.ask("alerts")["alerts"]
        return "DirectoryAway" in {alert["labels"]["alertname"] for alert in alerts}

    wait_until(pending, 30, "an alert is on its way")


@pytest.mark.usefixtures("prometheus")
def test_start_when_the_prober_ends_then_all_ends(tmp_path: Path) -> None:
    (tmp_path / "probes.yml").write_text("modules: nonsense")
    (tmp_path / "prometheus.yml").write_text("global: {}")
    done = subprocess.run(
        [
            "bash", str(START), f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{free_port()}",
        ],
        env={**os.environ, "LABYARD_PROBES": str(tmp_path / "probes.yml"), "LABYARD_PROBER": "127.0.0.1:0"},
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
