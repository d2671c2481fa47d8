"""Unit costs of nginx, the console's web process and configurable-http-proxy, with small numbers of sockets.

The ingress is nginx with the configuration of the role; the console is a real one, and is asked about each
request. Behind all of them stands a program of the tests that sends back what it is sent.
"""

from __future__ import annotations

import importlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import psutil
import requests

from benchmarks.console import load_test_helpers

from .units import Cost, cost

SOCKETS = 200
_STEPS = 4  # in which they are opened; each gives a figure
_MESSAGES = 2000
_REQUESTS = 300
_ROUNDS = 5
_PAGES, _LOOKED_AT = 10, 5.0  # live pages, and seconds for which they are


def measure_edge(engine: docker.DockerClient) -> dict[str, Cost]:
    """Memory of an open WebSocket, and CPU time of a message and of a request, at each of the three."""
    import pytest

    tests = importlib.import_module("tests.integration.edge_house")
    with (
        tempfile.TemporaryDirectory(prefix="labyard-scale-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        with tests.edge_house(Path(folder), {}) as house:
            tests.lead_names_here(patch)
            found = _measure_ingress(house) | _measure_live_pages(house.console)
        return found | _measure_hub_proxy(engine)


def _measure_ingress(house: Any) -> dict[str, Cost]:
    house.make_person("ada")
    browser = house.browser()
    browser.sign_in("ada")
    origin = house.origin(house.deploy("ada"))
    assert browser.get(f"{origin}/").ok
    cookie = browser.cookies_for(origin)
    nginx, web = _family(house.nginx.process.pid), _family(house.console.processes["web"].pid)
    address, trust = origin.replace("https://", "wss://"), {"ca_certs": house.nginx.ca}
    found = _measure_sockets(
        "nginx", nginx, lambda: _open(f"{address}/x", sslopt=trust, cookie=cookie, origin=origin)
    )
    asked: list[float] = []
    passed: list[float] = []
    seconds: list[float] = []
    for _ in range(_ROUNDS):
        before = _cpu(nginx), _cpu(web), time.perf_counter()
        for _ in range(_REQUESTS):
            assert browser.get(f"{origin}/file").ok
        passed.append((_cpu(nginx) - before[0]) / _REQUESTS * 1e6)
        asked.append((_cpu(web) - before[1]) / _REQUESTS * 1e6)
        seconds.append((time.perf_counter() - before[2]) / _REQUESTS * 1000)
    how = f"a request of a deployment, by HTTPS, {_REQUESTS} one after another, {_ROUNDS} times"
    return found | {
        "nginx_request_cpu": cost(passed, "µs", f"CPU time of nginx for {how}"),
        "web_verdict_cpu": cost(asked, "µs", f"CPU time of the console's web process for {how}"),
        "ingress_request": cost(seconds, "ms", f"time of {how}"),
    }


def _measure_live_pages(console: Any) -> dict[str, Cost]:
    """CPU time of a web process for pages that follow a command which waits for a worker."""
    credentials = console.home / "admin.json"
    console.labyard("user", "ensure-admin", "--credentials", str(credentials), "--url", console.url)
    console.api_key = json.loads(credentials.read_text(encoding="utf-8"))["api_key"]
    command = console.issue(plan="t-edge", phase="install", name="scale", params={})
    web = _family(console.processes["web"].pid)
    spent: list[float] = []
    with ExitStack() as stack:
        for _ in range(_PAGES):
            stack.enter_context(_live_page(console, command["id"]))
        for _ in range(_ROUNDS):
            before = _cpu(web), time.monotonic()
            time.sleep(_LOOKED_AT)
            spent.append((_cpu(web) - before[0]) / (time.monotonic() - before[1]) / _PAGES * 1000)
    how = f"CPU time of a web process in a second for one live page that follows a command, {_PAGES} open"
    return {"live_page_cpu": cost(spent, "ms", how)}


@contextmanager
def _live_page(console: Any, command: str) -> Iterator[requests.Response]:
    """The stream that the page of a command reads."""
    headers = {"Authorization": f"Bearer {console.api_key}", "Accept": "text/event-stream"}
    url = f"{console.url}/api/v1/commands/{command}/events"
    with requests.get(url, headers=headers, stream=True, timeout=20) as answer:
        answer.raise_for_status()
        yield answer


def _measure_hub_proxy(engine: docker.DockerClient) -> dict[str, Cost]:
    program = importlib.import_module("tests.services.echo_server").EchoServer()
    try:
        with _started_hub_proxy(engine, program.port) as (port, processes):
            found = _measure_sockets("hub_proxy", processes, lambda: _open(f"ws://127.0.0.1:{port}/x"))
            session = requests.Session()
            session.trust_env = False
            spent: list[float] = []
            for _ in range(_ROUNDS):
                before = _cpu(processes)
                for _ in range(_REQUESTS):
                    assert session.get(f"http://127.0.0.1:{port}/file", timeout=10).ok
                spent.append((_cpu(processes) - before) / _REQUESTS * 1e6)
    finally:
        program.close()
    how = f"CPU time of configurable-http-proxy for a request, {_REQUESTS} one after another, {_ROUNDS} times"
    return found | {"hub_proxy_request_cpu": cost(spent, "µs", how)}


@contextmanager
def _started_hub_proxy(
    engine: docker.DockerClient, target: int
) -> Iterator[tuple[int, list[psutil.Process]]]:
    """The proxy of the hub's image in the host's network, every route leading to `target`."""
    helpers = load_test_helpers()
    port, inner = helpers.free_port(), helpers.free_port()
    command = ["configurable-http-proxy", "--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1"]
    command += [f"--api-port={inner}", f"--default-target=http://127.0.0.1:{target}"]
    container = engine.containers.run(
        "labyard/hub:current",
        entrypoint=command,
        command=[],
        name=f"scale-proxy-{secrets.token_hex(3)}",
        environment={"CONFIGPROXY_AUTH_TOKEN": secrets.token_urlsafe(16)},
        network_mode="host",
        detach=True,
    )
    try:
        helpers.wait_until(lambda: _answers(f"http://127.0.0.1:{port}/_chp_healthz"), 60, "the hub's proxy")
        container.reload()
        yield port, _family(int(container.attrs["State"]["Pid"]))
    finally:
        container.remove(force=True)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def _open(url: str, **options: Any) -> Any:
    import websocket

    return websocket.create_connection(url, timeout=30, **options)


def _measure_sockets(
    name: str, processes: Sequence[psutil.Process], connect: Callable[[], Any]
) -> dict[str, Cost]:
    """Memory of SOCKETS open WebSockets, and CPU time of messages that go there and back."""
    grown: list[float] = []
    spent: list[float] = []
    with ExitStack() as stack:
        warm = [stack.enter_context(_closing(connect())) for _ in range(20)]
        _talk(warm, 100)
        sockets = list(warm)
        for _ in range(_STEPS):
            before = _memory(processes)
            new = [stack.enter_context(_closing(connect())) for _ in range(SOCKETS // _STEPS)]
            _talk(new, len(new))
            grown.append((_memory(processes) - before) / len(new))
            sockets += new
        for _ in range(_ROUNDS):
            begun = _cpu(processes)
            _talk(sockets, _MESSAGES)
            spent.append((_cpu(processes) - begun) / _MESSAGES * 1e6)
    words = {"nginx": "nginx", "hub_proxy": "configurable-http-proxy"}[name]
    return {
        f"{name}_socket_memory": cost(
            grown, "KiB", f"memory of {words} for one open WebSocket more, up to {SOCKETS}"
        ),
        f"{name}_message_cpu": cost(
            spent,
            "µs",
            f"CPU time of {words} for a short message there and back, {_MESSAGES} over {SOCKETS} WebSockets",
        ),
    }


def _talk(sockets: Sequence[Any], messages: int) -> None:
    for number in range(messages):
        socket = sockets[number % len(sockets)]
        socket.send("execute_request, a short one")
        socket.recv()


@contextmanager
def _closing(socket: Any) -> Iterator[Any]:
    try:
        yield socket
    finally:
        socket.close()


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _memory(processes: Sequence[psutil.Process]) -> float:
    """KiB that these processes have for themselves."""
    return sum(process.memory_full_info().uss for process in processes) / 1024


def _cpu(processes: Sequence[psutil.Process]) -> float:
    """Seconds of CPU time, user and system."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)
