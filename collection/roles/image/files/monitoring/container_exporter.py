# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the containers of one Docker Engine, for Prometheus.

Asks the engine two things alone: GET /containers/json and GET /containers/<id>/stats. Only the standard
library is used, and Python 3.11.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = "/v1.41"  # the oldest that knows one-shot
_TIMEOUT = 8.0  # seconds for one call; Prometheus waits 10
_AT_ONCE = 64  # calls; each waits up to a second for the figures that the engine takes once a second
_ID = re.compile(r"[0-9a-f]{12,64}$")

# Label to the container's label it is taken from.
_LABELS = {
    "service": "com.docker.swarm.service.name",
    "task": "com.docker.swarm.task.name",
    "stack": "com.docker.stack.namespace",
    "deployment": "labyard.deployment",
    "plan": "labyard.plan",
}
_FAMILIES = {
    "labyard_container_cpu_seconds_total": ("counter", "CPU time that the container has used."),
    "labyard_container_throttled_seconds_total": ("counter", "Time for which it was held back by its limit."),
    "labyard_container_memory_bytes": ("gauge", "Memory in use, without files that can be dropped."),
    "labyard_container_memory_limit_bytes": (
        "gauge",
        "Memory that it may use; the node's where it has no limit.",
    ),
    "labyard_container_network_receive_bytes_total": ("counter", "Bytes received, by all of its networks."),
    "labyard_container_network_transmit_bytes_total": ("counter", "Bytes sent, by all of its networks."),
    "labyard_container_block_read_bytes_total": ("counter", "Bytes read from disks."),
    "labyard_container_block_write_bytes_total": ("counter", "Bytes written to disks."),
    "labyard_container_processes": ("gauge", "Processes and threads."),
}

Row = tuple[str, dict[str, str], float]  # name, labels, value


class Engine(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)


def ask(path: str, address: str) -> Any:
    """The engine's answer to GET; None if there is no such container. Raises OSError, HTTPException."""
    engine = Engine(path)
    try:
        engine.request("GET", f"{_VERSION}{address}")
        answer = engine.getresponse()
        body = answer.read()
    finally:
        engine.close()
    if answer.status in (404, 409):  # it has gone meanwhile
        return None
    if answer.status != 200:
        raise OSError(f"the engine answered {answer.status}")
    return json.loads(body)


def read_containers(path: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The containers that run, each with its figures."""
    listed = [c for c in ask(path, "/containers/json") or [] if _ID.match(c.get("Id", ""))]

    def read(container: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = ask(
            path, f"/containers/{container['Id']}/stats?stream=false&one-shot=true"
        )
        return found

    with ThreadPoolExecutor(_AT_ONCE) as hands:
        return [(c, stats) for c, stats in zip(listed, hands.map(read, listed), strict=True) if stats]


def rows_of(container: Mapping[str, Any], stats: Mapping[str, Any]) -> Iterator[Row]:
    """The figures of one container; what the engine does not tell is left out."""
    labels = name_container(container)
    for name, value in read_stats(stats):
        if value is not None:
            yield name, labels, value


def name_container(container: Mapping[str, Any]) -> dict[str, str]:
    """Labels by which people know it; its name is different from that of any other container."""
    given = container.get("Labels") or {}
    names = container.get("Names") or [container.get("Id", "")[:12]]
    found = {"name": str(names[0]).lstrip("/")}
    found |= {label: str(given[source]) for label, source in _LABELS.items() if given.get(source)}
    return found


def read_stats(stats: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Name and value of each figure in the document of GET /containers/<id>/stats (cgroup 1 and 2)."""
    cpu, memory = stats.get("cpu_stats") or {}, stats.get("memory_stats") or {}
    yield "labyard_container_cpu_seconds_total", _seconds((cpu.get("cpu_usage") or {}).get("total_usage"))
    throttled = (cpu.get("throttling_data") or {}).get("throttled_time")
    yield "labyard_container_throttled_seconds_total", _seconds(throttled)
    more = memory.get("stats") or {}
    idle = more.get("total_inactive_file", more.get("inactive_file", 0))
    used = memory.get("usage")
    yield "labyard_container_memory_bytes", None if used is None else max(0, used - idle)
    yield "labyard_container_memory_limit_bytes", memory.get("limit")
    networks = (stats.get("networks") or {}).values()
    if networks:
        received, sent = (sum(n.get(key, 0) for n in networks) for key in ("rx_bytes", "tx_bytes"))
        yield "labyard_container_network_receive_bytes_total", received
        yield "labyard_container_network_transmit_bytes_total", sent
    blocks = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    for word in ("read", "write"):
        total = sum(b.get("value", 0) for b in blocks if str(b.get("op", "")).lower() == word)
        yield f"labyard_container_block_{word}_bytes_total", total if blocks else None
    yield "labyard_container_processes", (stats.get("pids_stats") or {}).get("current")


def render(rows: Iterable[Row], seconds: float) -> str:
    """Prometheus' text format; `seconds`: what it took to ask."""
    by_name: dict[str, list[str]] = {name: [] for name in _FAMILIES}
    for name, labels, value in rows:
        words = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
        by_name[name].append(f"{name}{{{words}}} {value:.15g}")
    lines = []
    for name, found in by_name.items():
        kind, text = _FAMILIES[name]
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *found] if found else []
    lines += [
        "# HELP labyard_containers Containers that run.",
        "# TYPE labyard_containers gauge",
        f"labyard_containers {len(by_name['labyard_container_memory_limit_bytes'])}",
        "# HELP labyard_containers_ask_seconds How long the engine took to answer.",
        "# TYPE labyard_containers_ask_seconds gauge",
        f"labyard_containers_ask_seconds {seconds:.3f}",
    ]
    return "\n".join(lines) + "\n"


def collect(path: str) -> str:
    """All figures as text. Raises OSError, HTTPException, ValueError."""
    begin = time.monotonic()
    found = read_containers(path)
    rows = [row for container, stats in found for row in rows_of(container, stats)]
    return render(rows, time.monotonic() - begin)


def serve(host: str, port: int, path: str) -> ThreadingHTTPServer:
    """A server for GET /metrics and /healthz; it is not started yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/metrics", "/healthz"):
                self._answer(404, "There is /metrics.\n")
            elif self.path == "/healthz":
                self._answer(200, "ok\n")
            else:
                try:
                    self._answer(200, collect(path))
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self._answer(503, f"The engine does not answer as it should: {error}\n")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None:
            """A line for each scrape says nothing."""

    return ThreadingHTTPServer((host, port), Handler)


def main(given: list[str] | None = None) -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description="Figures of the containers of one Docker Engine.")
    parser.add_argument("--listen", default="127.0.0.1:9101", help="ADDRESS:PORT")
    parser.add_argument("--socket", default="/var/run/docker.sock", help="the engine's socket")
    options = parser.parse_args(given)
    host, _, port = options.listen.rpartition(":")
    try:
        serve(host, int(port), options.socket).serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


def _seconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _escape(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


if __name__ == "__main__":
    main()
