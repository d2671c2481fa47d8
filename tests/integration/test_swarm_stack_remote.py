"""swarm_stack and swarm_stack_info with an engine that is reached over TCP and TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import EngineUnreachable
from ansible_collections.labyard.platform.plugins.modules import swarm_stack_info
from tests.integration.stack_helpers import ensure_image, service, stack_module, stack_names
from tests.integration.tls_engine import tls_engine, write_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, cert.pem and key.pem."""
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def port(engine: docker.DockerClient, certificates: Path) -> Iterator[int]:
    """The engine's port with TLS."""
    ensure_image(engine)
    with tls_engine(certificates) as found:
        yield found


@pytest.fixture
def new_name() -> Iterator[Callable[[], str]]:
    """Gives names for stacks that are removed at the end."""
    with stack_names() as make:
        yield make


def look(**options: Any) -> dict[str, Any]:
    """Call swarm_stack_info within this process."""
    given = {**dict.fromkeys(swarm_stack_info.argument_spec()), "use_ssh_client": False, **options}
    return swarm_stack_info.run(given)


def test_deploy_over_tls_by_options_then_it_runs_and_goes(
    port: int, certificates: Path, new_name: Callable[[], str]
) -> None:
    options = {
        "docker_host": f"tcp://127.0.0.1:{port}",
        "validate_certs": True,
        "ca_path": str(certificates / "ca.pem"),
        "client_cert": str(certificates / "cert.pem"),
        "client_key": str(certificates / "key.pem"),
    }
    name = new_name()
    assert stack_module(name, {"services": {"web": service()}}, **options).services[0]["running"] == 1
    assert look(name=name, **options)["services"][0]["running"] == 1
    assert stack_module(name, state="absent", **options).changed


def test_look_over_tls_by_environment_then_found(
    port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    assert look(name="no-such-stack")["exists"] is False
    monkeypatch.setenv("DOCKER_TLS_HOSTNAME", "engine.test")
    assert look(name="no-such-stack")["exists"] is False
    monkeypatch.setenv("DOCKER_TLS_HOSTNAME", "other.test")
    with pytest.raises(EngineUnreachable, match=r"cannot be trusted .*other\.test"):
        look(name="no-such-stack")


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("ca.pem", "Check the paths in ca_path, client_cert and client_key"),
        ("cert.pem", "Check the paths in ca_path, client_cert and client_key"),
    ],
)
def test_look_over_tls_when_a_file_is_missing_then_what_to_check(
    port: int, certificates: Path, tmp_path: Path, left_out: str, words: str
) -> None:
    for name in {"ca.pem", "cert.pem", "key.pem"} - {left_out}:
        (tmp_path / name).write_bytes((certificates / name).read_bytes())
    with pytest.raises(EngineUnreachable, match=words):
        look(
            docker_host=f"tcp://127.0.0.1:{port}",
            validate_certs=True,
            ca_path=str(tmp_path / "ca.pem"),
            client_cert=str(tmp_path / "cert.pem"),
            client_key=str(tmp_path / "key.pem"),
        )


def test_look_over_tls_when_the_authority_is_another_then_not_trusted(
    port: int, certificates: Path, tmp_path: Path
) -> None:
    write_certificates(tmp_path)
    with pytest.raises(EngineUnreachable, match="cannot be trusted"):
        look(
            docker_host=f"tcp://127.0.0.1:{port}",
            validate_certs=True,
            ca_path=str(tmp_path / "ca.pem"),
            client_cert=str(certificates / "cert.pem"),
            client_key=str(certificates / "key.pem"),
        )


# urllib3 warns of TLS without a check of the certificate, which is what is asked for here
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_look_over_tls_without_a_client_certificate_then_refused(port: int) -> None:
    with pytest.raises(EngineUnreachable, match=f"tcp://127.0.0.1:{port} cannot be"):
        look(docker_host=f"tcp://127.0.0.1:{port}", tls=True)


def test_look_without_tls_where_it_is_wanted_then_one_sentence(port: int) -> None:
    with pytest.raises(EngineUnreachable, match=f"The Docker engine at tcp://127.0.0.1:{port} "):
        look(docker_host=f"tcp://127.0.0.1:{port}")
