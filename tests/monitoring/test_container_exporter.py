"""The exporter of containers, against an engine on a socket of the test's own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.conftest import REPOSITORY

PROGRAM = REPOSITORY / "collection" / "roles" / "image" / "files" / "monitoring" / "container_exporter.py"
ONE, TWO, GONE = "1" * 64, "2" * 64, "3" * 64
CONTAINERS = [
    {
        "Id": ONE,
        "Names": ["/notebook-abcd1234_notebook.1.xyz"],
        "Labels": {
            "com.docker.swarm.service.name": "notebook-abcd1234_notebook",
            "com.docker.stack.namespace": "notebook-abcd1234",
            "labyard.deployment": "abcd1234",
            "com.example": "not shown",
        },
    },
    {"Id": TWO, "Names": ['/odd"name'], "Labels": None},
    {"Id": GONE, "Names": ["/gone"], "Labels": {}},
]
STATS: dict[str, dict[str, Any]] = {
    # cgroup 1
    ONE: {
        "cpu_stats": {
            "cpu_usage": {"total_usage": 2_500_000_000},
            "throttling_data": {"throttled_time": 10**9},
        },
        "memory_stats": {
            "usage": 1000,
            "limit": 4000,
            "stats": {"total_inactive_file": 300, "inactive_file": 1},
        },
        "networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 7}, "eth1": {"rx_bytes": 10, "tx_bytes": 0}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 3},
                {"op": "Write", "value": 4},
                {"op": "Total", "value": 7},
            ]
        },
        "pids_stats": {"current": 6},
    },
    # cgroup 2, and little to tell
    TWO: {
        "cpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {"usage": 200, "limit": 500, "stats": {"inactive_file": 300}},
        "blkio_stats": {"io_service_bytes_recursive": None},
    },
}


@pytest.fixture(scope="module")
def exporter() -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("container_exporter", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def engine(folder: Path, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """An engine with CONTAINERS: the path of its socket, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "socket"

        def do_GET(self) -> None:
            asked.append(self.path)
            ident = self.path.split("/")[3]
            document = CONTAINERS if ident.startswith("json") else STATS.get(ident)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None:
            """Nothing is printed."""

    path = str(folder / "engine.sock")
    with _Server(path, Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield path, asked
        server.shutdown()


@contextmanager
def serving(exporter: ModuleType, path: str) -> Iterator[str]:
    """The exporter on a free port; its address."""
    with exporter.serve("127.0.0.1", 0, path) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_metrics_when_read_then_each_container_has_its_figures(
    exporter: ModuleType, tmp_path: Path, promtool: str
) -> None:
    with engine(tmp_path) as (path, asked), serving(exporter, path) as url:
        answer = requests.get(f"{url}/metrics", timeout=60)
    assert answer.status_code == 200
    about = (
        'name="notebook-abcd1234_notebook.1.xyz",service="notebook-abcd1234_notebook",'
        'stack="notebook-abcd1234",deployment="abcd1234"'
    )
    lines = answer.text.splitlines()
    for name, value in {
        "cpu_seconds_total": "2.5",
        "throttled_seconds_total": "1",
        "memory_bytes": "700",
        "memory_limit_bytes": "4000",
        "network_receive_bytes_total": "15",
        "network_transmit_bytes_total": "7",
        "block_read_bytes_total": "3",
        "block_write_bytes_total": "4",
        "processes": "6",
    }.items():
        assert f"labyard_container_{name}{{{about}}} {value}" in lines
    assert r'labyard_container_memory_bytes{name="odd\"name"} 0' in lines
    assert "labyard_containers 2" in lines
    assert 'network_receive_bytes_total{name="odd' not in answer.text
    assert "not shown" not in answer.text
    assert {part.split("?")[0].rpartition("/")[2] for part in asked} == {"json", "stats"}
    done = subprocess.run([promtool, "check", "metrics"], input=answer.text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_metrics_when_the_engine_is_away_then_503_and_it_lives_on(
    exporter: ModuleType, tmp_path: Path
) -> None:
    with serving(exporter, str(tmp_path / "no.sock")) as url:
        assert requests.get(f"{url}/metrics", timeout=60).status_code == 503
        assert requests.get(f"{url}/healthz", timeout=60).text == "ok\n"
        assert requests.get(f"{url}/containers/json", timeout=60).status_code == 404


def test_metrics_when_the_engine_has_a_fault_then_503(exporter: ModuleType, tmp_path: Path) -> None:
    with engine(tmp_path, 500) as (path, _), serving(exporter, path) as url:
        answer = requests.get(f"{url}/metrics", timeout=60)
    assert answer.status_code == 503
    assert "answered 500" in answer.text
