"""Bad input, on a real swarm: one error with file, path of the key and what to do; nothing is written."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import (
    ApiTooOld,
    ComposeError,
    EngineUnreachable,
    NotAManager,
    StackError,
)
from tests.integration.stack_helpers import IMAGE, recorded_calls, run_play, stack_module

STACK = "h1test-bad"
LABEL = f"com.docker.stack.namespace={STACK}"
WEB = f"services: {{web: {{image: '{IMAGE}'%s}}}}\n"


@pytest.fixture(scope="module")
def local_network(engine: docker.DockerClient) -> Iterator[str]:
    """The name of a network of this engine only."""
    network = engine.networks.create("h1test-bad-local", driver="bridge")
    yield str(network.name)
    network.remove()


@pytest.fixture(scope="module")
def taken_secret(engine: docker.DockerClient) -> Iterator[str]:
    """The name of a secret that is not of the stack, but has the name of one of its own."""
    secret = engine.secrets.create(name=f"{STACK}_taken", data=b"mine")
    yield f"{STACK}_taken"
    secret.remove()


def case(text: str, path: str, advice: str, *, within: str = "", **options: Any) -> Any:
    """A document, the path of the key that is wrong in it, and words about what to do."""
    return pytest.param(text, path, advice, options, id=within or path or advice)


CASES = [
    case("services: [", "", "not valid YAML", within="malformed"),
    case(WEB % ", image: x", "services.web.image", "stands twice, in lines 1 and 1; remove one"),
    case(
        WEB % ", hostname: '${NO_SUCH_NAME:?the name of the host}'",
        "services.web.hostname",
        "NO_SUCH_NAME is not set: the name of the host; set it in the environment",
    ),
    case(WEB % ", volumes: ['none:/x']", "services.web.volumes[0]", "add it to the top-level volumes"),
    case(WEB % "" + "secrets: {k: {file: big}}", "secrets.k", "512001 bytes; it must have 1 to 512000"),
    case(
        f"services: {{{'w' * 60}: {{image: a}}}}",
        f"services.{'w' * 60}",
        "a swarm allows 63 for services; shorten the name",
        within="name too long",
    ),
    case(
        WEB % ", networks: [out]" + "networks: {out: {external: true, name: h1test-bad-local}}",
        "networks.out",
        "has the scope 'local', a stack needs 'swarm'; create it with the driver overlay",
        within="network of the wrong scope",
    ),
    case(
        WEB % ", networks: [out]" + "networks: {out: {external: true, name: h1test-bad-none}}",
        "networks.out",
        "create it with 'docker network create --driver overlay h1test-bad-none', or remove external",
        within="external network missing",
    ),
    case(
        WEB % ", secrets: [out]" + "secrets: {out: {external: true, name: h1test-bad-none}}",
        "secrets.out",
        "create it with 'docker secret create', or remove external",
        within="external secret missing",
    ),
    case(
        WEB % ", secrets: [taken]" + "secrets: {taken: {environment: PATH}}",
        "secrets.taken",
        "does not belong to this stack; mark it as external, or rename one",
    ),
    case(
        WEB % ", oom_score_adj: 5",
        "services.web.oom_score_adj",
        "needs Docker Engine API 1.46, but the engine at unix:///var/run/docker.sock offers 1.41; update",
        api_version="1.41",
    ),
    case(
        WEB % ", privileged: true",
        "services.web.privileged",
        "Remove them, or set unsupported to warn",
        unsupported="error",
    ),
    case(
        WEB % ", ports: ['80:80']",
        "services.web.ports",
        "write the port in long form with 'mode: host'",
        endpoint_mode_default="dnsrr",
    ),
]


@pytest.mark.usefixtures("local_network", "taken_secret")
@pytest.mark.parametrize(("text", "path", "advice", "options"), CASES)
def test_wrong_document_then_file_key_and_advice_and_nothing_is_written(
    engine: docker.DockerClient, tmp_path: Path, text: str, path: str, advice: str, options: dict[str, Any]
) -> None:
    (tmp_path / "big").write_bytes(b"x" * (500 * 1024 + 1))
    first, second = tmp_path / "first.yml", tmp_path / "second.yml"
    first.write_text("version: '3.8'\n")
    second.write_text(text)
    with recorded_calls() as sent, pytest.raises((ComposeError, ApiTooOld)) as caught:
        stack_module(STACK, str(first), str(second), **options)
    message = str(caught.value)
    assert f"{second}: {path}" in message
    assert advice in message
    assert len(message.splitlines()) == 1
    assert {method for method, _ in sent} <= {"GET"}
    assert engine.networks.list(filters={"label": LABEL}) == []
    assert engine.services.list(filters={"label": LABEL}) == []


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 70])
def test_wrong_name_of_the_stack_then_said_and_nothing_is_written(name: str) -> None:
    with (
        recorded_calls() as sent,
        pytest.raises(ComposeError, match=r"letters|characters, a swarm allows 63"),
    ):
        stack_module(name, {"services": {"web": {"image": IMAGE}}})
    assert sent == []


def test_play_with_a_wrong_document_then_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(WEB % ", volumes: ['none:/x']")
    done = run_play(tmp_path, {"name": STACK, "compose": [str(file)]})
    assert done.returncode == 2
    assert f"The compose document cannot be used: {file}: services.web.volumes[0]: the volume" in done.stdout


def test_no_engine_then_address_and_advice(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/docker.sock"
    with pytest.raises(EngineUnreachable, match=f"The Docker engine at {address} .*start it, or correct"):
        stack_module(STACK, {"services": {"web": {"image": IMAGE}}}, docker_host=address)


class _Alone(BaseHTTPRequestHandler):
    """An engine that is in no swarm, with the words of a real one."""

    def do_GET(self) -> None:
        if self.path == "/version":
            self._answer(200, {"ApiVersion": "1.41"})
        else:
            self._answer(
                503, {"message": 'This node is not a swarm manager. Use "docker swarm init" and try again.'}
            )

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        """Nobody in particular: a Unix socket has no address."""
        return "local"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep quiet."""


@pytest.mark.parametrize(
    "options", [{}, {"check_mode": True}, {"state": "absent"}, {"replicas": {"web": 1}}], ids=str
)
def test_engine_that_is_no_manager_then_advice_and_nothing_is_written(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    documents = [] if set(options) & {"state", "replicas"} else [{"services": {"web": {"image": IMAGE}}}]
    path = str(tmp_path / "alone.sock")
    with socketserver.ThreadingUnixStreamServer(path, _Alone) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            with recorded_calls() as sent, pytest.raises(StackError) as caught:
                stack_module(STACK, *documents, docker_host=f"unix://{path}", **options)
        finally:
            server.shutdown()
    assert isinstance(caught.value, NotAManager)
    assert "run 'docker swarm init' there, or point docker_host at a manager" in str(caught.value)
    assert {method for method, _ in sent} == {"GET"}
