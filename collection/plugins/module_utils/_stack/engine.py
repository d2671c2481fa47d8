# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to a Docker engine: options, connecting, calling, errors in words.

The only file that imports the Docker SDK. What is asked of the engine stands in ``client.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import socket
import sys
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from .errors import ApiTooOld, Conflict, EngineError, EngineUnreachable, NotAManager, NotFound, OutOfSequence

DEFAULT_HOST = "unix:///var/run/docker.sock"
DEFAULT_TIMEOUT = 60
_OLDEST_API = "1.41"

_TRUE = {"1", "true", "yes", "y", "on", "t"}


def docker_argument_spec() -> dict[str, Any]:
    """Argument spec of the options that every module with an engine shares.

    Documented in the doc fragment ``labyard.platform.docker``. Defaults that come from the
    environment are filled in by :func:`connect_engine`, so that these options also work as plain
    values outside of a module.
    """
    return {
        "docker_host": {"type": "str", "aliases": ["docker_url"]},
        "tls": {"type": "bool"},
        "validate_certs": {"type": "bool", "aliases": ["tls_verify"]},
        "tls_hostname": {"type": "str"},
        "ca_path": {"type": "path", "aliases": ["ca_cert", "tls_ca_cert", "cacert_path"]},
        "client_cert": {"type": "path", "aliases": ["tls_client_cert", "cert_path"]},
        "client_key": {"type": "path", "aliases": ["tls_client_key", "key_path"]},
        "api_version": {"type": "str", "aliases": ["docker_api_version"]},
        "timeout": {"type": "int"},
        "use_ssh_client": {"type": "bool", "default": False},
    }


def connect_engine(options: Mapping[str, Any] | None = None) -> Engine:
    """Connect to the engine that ``options`` (see :func:`docker_argument_spec`) name.

    An option that is missing or ``None`` is taken from the environment (``DOCKER_HOST``,
    ``DOCKER_TLS``, ``DOCKER_TLS_VERIFY``, ``DOCKER_TLS_HOSTNAME``, ``DOCKER_CERT_PATH``,
    ``DOCKER_API_VERSION``, ``DOCKER_TIMEOUT``), then from its default.

    :raises EngineUnreachable: nobody answers there, or the SDK is not installed
    :raises ApiTooOld: the engine does not speak the API version asked for
    """
    chosen = _with_environment(options or {})
    try:
        import docker
    except ImportError as error:
        raise EngineUnreachable(
            f"The Python package 'docker' is not installed for {sys.executable}; "
            "install it there with: pip install 'docker>=7.1'."
        ) from error
    host = chosen["docker_host"]
    if host.startswith("unix://") and not os.path.exists("/" + host.removeprefix("unix://").lstrip("/")):
        raise _connection_error(host, FileNotFoundError("No such file"))
    tls = _tls_config(chosen)
    if tls and host.startswith("tcp://"):
        host = "https://" + host.removeprefix("tcp://")
    automatic = chosen["api_version"].lower() == "auto"
    try:
        api = docker.APIClient(
            base_url=host,
            version=_OLDEST_API if automatic else chosen["api_version"],
            timeout=chosen["timeout"],
            tls=tls or False,
            use_ssh_client=bool(chosen["use_ssh_client"]),
        )
    except _connection_faults(ValueError) as error:  # ValueError: the host is no address
        raise _connection_error(chosen["docker_host"], error) from error
    if tls and chosen["tls_hostname"]:
        api.mount("https://", _hostname_adapter(chosen["tls_hostname"]))
    engine = Engine(api, chosen["docker_host"])
    if automatic:
        engine.speak_newest_api()
    return engine


class Engine:
    """A connected engine. ``api`` is the SDK's ``APIClient``, for what has no method here."""

    def __init__(self, api: Any, host: str = DEFAULT_HOST) -> None:
        self.api = api
        self.host = host
        #: Number of calls made so far, by HTTP method; tests and benchmarks read it.
        self.calls: dict[str, int] = {}

    @property
    def api_version(self) -> tuple[int, int]:
        """The API version in use, for example ``(1, 41)``."""
        major, _, minor = str(self.api._version).partition(".")
        return int(major), int(minor or 0)

    def speak_newest_api(self) -> None:
        """Ask the engine for the newest version of the API that it offers, and speak that from now on."""
        answer = self.request("GET", "/version", versioned=False).json()
        self.api._version = str(answer["ApiVersion"])

    def require_api(self, version: str, what: str) -> None:
        """Check that the API is ``version`` or newer, else say that ``what`` needs it.

        :raises ApiTooOld:
        """
        major, _, minor = version.partition(".")
        if self.api_version < (int(major), int(minor)):
            have = ".".join(map(str, self.api_version))
            raise ApiTooOld(
                f"{what} needs Docker Engine API {version}, but the engine at {self.host} offers {have}; "
                "update the engine or leave this out."
            )

    def require_manager(self) -> dict[str, Any]:
        """Check that the engine is a manager of a swarm, and return the swarm.

        :raises NotAManager:
        """
        swarm: dict[str, Any] = self.get("/swarm")
        return swarm

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET ``path`` (without the version), returning the JSON answer."""
        return self.request("GET", path, params=params).json()

    def post(
        self,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """POST ``body`` as JSON, returning the JSON answer, or ``None`` for an empty one."""
        response = self.request("POST", path, params=params, body=body, headers=headers)
        return response.json() if response.content.strip() else None

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """DELETE ``path``."""
        self.request("DELETE", path, params=params)

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stream: bool = False,
        versioned: bool = True,
    ) -> Any:
        """Make one call. Parameters that are mappings are sent as JSON, as the engine wants filters.

        :param timeout: seconds; default: the option ``timeout``
        :param versioned: whether ``path`` is that of the API version in use
        :returns: the ``requests.Response``
        :raises EngineError: one of its kinds, in words
        """
        self.calls[method] = self.calls.get(method, 0) + 1
        query = {
            key: json.dumps(value) if isinstance(value, dict) else value
            for key, value in (params or {}).items()
        }
        send = dict(headers or {})
        if body is not None:
            send["Content-Type"] = "application/json"
        try:
            response = self.api.request(
                method,
                self.api._url(path, versioned_api=versioned),
                params=query,
                data=None if body is None else json.dumps(body),
                headers=send,
                timeout=timeout or self.api.timeout,
                stream=stream,
                # said here, else requests would rather take REQUESTS_CA_BUNDLE from the environment
                verify=getattr(self.api, "verify", None),
            )
        except _connection_faults() as error:
            raise _connection_error(self.host, error) from error
        if response.status_code >= 400:
            raise _answer_error(self.host, response.status_code, _message_of(response))
        return response

    def events(self, filters: Mapping[str, Any]) -> EventStream | None:
        """A stream of the engine's events from now on; ``None`` where there is none to be had (over SSH)."""
        if self.host.startswith("ssh://"):
            return None
        try:
            return EventStream(self.request("GET", "/events", {"filters": dict(filters)}, stream=True))
        except EngineError:
            return None

    def close(self) -> None:
        """Give the connections back."""
        self.api.close()


class EventStream:
    """Tells that there was an event, and not which: whoever waits looks at the whole anyway."""

    def __init__(self, response: Any) -> None:
        self._response = response
        # Reading the answer would block for as long as nothing happens, so its socket is watched.
        raw = response.raw._fp.fp.raw
        self._socket = getattr(raw, "_sock", raw)
        self._ended = False

    def wait(self, seconds: float) -> bool:
        """Wait for an event, at most ``seconds``; True if there was one. Once the stream has ended, sleep."""
        if self._ended:
            time.sleep(seconds)
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            if not selector.select(seconds):
                return False
        try:
            self._ended = not self._socket.recv(65536)
        except OSError:
            self._ended = True
        return not self._ended

    def close(self) -> None:
        """End the stream."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()


def _with_environment(options: Mapping[str, Any]) -> dict[str, Any]:
    env = os.environ
    folder = env.get("DOCKER_CERT_PATH", "")

    def pick(name: str, value: Any) -> Any:
        given = options.get(name)
        return value if given is None else given

    def certificate(name: str) -> str | None:
        return os.path.join(folder, name) if folder else None

    return {
        "docker_host": pick("docker_host", env.get("DOCKER_HOST") or DEFAULT_HOST),
        "tls": pick("tls", env.get("DOCKER_TLS", "").lower() in _TRUE),
        "validate_certs": pick("validate_certs", env.get("DOCKER_TLS_VERIFY", "").lower() in _TRUE),
        "tls_hostname": pick("tls_hostname", env.get("DOCKER_TLS_HOSTNAME")),
        "ca_path": pick("ca_path", certificate("ca.pem")),
        "client_cert": pick("client_cert", certificate("cert.pem")),
        "client_key": pick("client_key", certificate("key.pem")),
        "api_version": pick("api_version", env.get("DOCKER_API_VERSION") or "auto"),
        "timeout": int(pick("timeout", env.get("DOCKER_TIMEOUT") or DEFAULT_TIMEOUT)),
        "use_ssh_client": pick("use_ssh_client", False),
    }


def _tls_config(chosen: Mapping[str, Any]) -> Any:
    if not (chosen["tls"] or chosen["validate_certs"]):
        return None
    from docker.errors import TLSParameterError
    from docker.tls import TLSConfig

    certificate = chosen["client_cert"], chosen["client_key"]
    try:
        return TLSConfig(
            client_cert=certificate if all(certificate) else None,
            ca_cert=chosen["ca_path"] if chosen["validate_certs"] else None,
            verify=bool(chosen["validate_certs"]),
        )
    except TLSParameterError as error:
        raise EngineUnreachable(
            f"The TLS options for {chosen['docker_host']} cannot be used: {str(error).split(chr(10))[0]} "
            "Check the paths in ca_path, client_cert and client_key."
        ) from error


def _hostname_adapter(hostname: str) -> Any:
    from requests.adapters import HTTPAdapter

    class HostnameAdapter(HTTPAdapter):
        """Check the server's certificate against a name other than the one that is called."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, assert_hostname=hostname, **kwargs)

    return HostnameAdapter()


def _message_of(response: Any) -> str:
    try:
        message = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = response.text
    return str(message).strip() or f"HTTP status {response.status_code}"


def _connection_faults(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What the SDK lets through of the libraries below it when a connection fails, and ``more``.

    A fault of our own, such as a TypeError, is not among them, so that it is not taken for one.
    """
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    faults: list[type[Exception]] = [
        OSError,  # sockets, TLS, the program ssh; requests' own errors derive from it
        EOFError,  # paramiko, when the other side hangs up
        DockerException,
        HTTPError,
        HTTPException,
        *more,
    ]
    paramiko = sys.modules.get("paramiko")  # the SDK imports it where it is installed
    if paramiko is not None:
        faults.append(paramiko.SSHException)
    return tuple(faults)


def _connection_error(host: str, error: Exception) -> EngineError:
    text = str(error)
    if "is too old" in text or "is too new" in text:
        return ApiTooOld(
            f"The Docker engine at {host} does not speak the API version asked for ({text.strip()}); "
            "leave api_version at 'auto' or update the engine."
        )
    if "Install paramiko" in text:
        cause = (
            "cannot be reached over SSH without the Python package 'paramiko'; "
            f"install it for {sys.executable} with: pip install paramiko"
        )
    elif host.startswith("ssh://") and ("known_hosts" in text or "host key" in text.lower()):
        cause = (
            f"is not known to this user's ssh ({_shorten(text)}); check its key and add it to known_hosts, "
            "for example by signing in once with ssh"
        )
    elif host.startswith("ssh://") and ("Authentication" in text or "Permission denied" in text):
        cause = f"refuses the key of this user ({_shorten(text)}); check that ssh signs in there unasked"
    elif "timed out" in text.lower():
        cause = "did not answer in time; check that it is healthy, or raise the option timeout"
    elif "Permission denied" in text:
        cause = "refuses this user; use become, or add the user to the group docker"
    elif "certificate" in text.lower():
        cause = (
            f"cannot be trusted ({_tls_words(text)}); check ca_path, client_cert, client_key and tls_hostname"
        )
    elif "FileNotFoundError" in text or "No such file" in text:
        cause = "is not running, its socket is not there; start it, or correct docker_host"
    elif "Connection refused" in text or "ConnectionRefusedError" in text:
        cause = "is not running, nothing listens there; start it, or correct docker_host"
    else:
        cause = f"cannot be reached ({_shorten(text)}); check docker_host and that it runs"
    return EngineUnreachable(f"The Docker engine at {host} {cause}.")


def _tls_words(text: str) -> str:
    """What is wrong with a certificate, out of the words of four libraries."""
    found = re.search(r"certificate verify failed: (.*?)(?: \(_ssl|\)|$)", text)
    return _shorten(found[1] if found else text)


def _answer_error(host: str, status: int, message: str) -> EngineError:
    low = message.lower()
    if "not a swarm manager" in low or "not part of a swarm" in low:
        return NotAManager(
            f"The Docker engine at {host} is not a swarm manager; run 'docker swarm init' there, "
            "or point docker_host at a manager.",
            status,
        )
    if "is too old" in low or "is too new" in low:
        return ApiTooOld(
            f"The Docker engine at {host} does not speak the API version asked for ({message}); "
            "leave api_version at 'auto' or update the engine.",
            status,
        )
    if "update out of sequence" in low:
        return OutOfSequence(message, status)
    if status == 404:
        return NotFound(message, status)
    if status == 409:
        return Conflict(message, status)
    return EngineError(message, status)


def _shorten(text: str, length: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
