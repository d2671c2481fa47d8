"""How long notebooks take to start at a hub: ours, and plain SwarmSpawner without our parts.

A program that may do so makes people, asks for all their notebooks at the same moment, and looks every
100 ms until the hub calls each ready and it lets its owner in. A server that was started before the
request does not count: the container of before may answer for seconds. Then they are stopped, and asked
for once more at once. Both hubs run the same images, and the images are on the node.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import requests

from .community import REPOSITORY
from .plain_hub import started_plain_hub

_LOOK_EVERY = 0.1  # seconds
_LONGEST = 330.0  # seconds for all notebooks of one round: longer than the hubs' own time-out of 300


@dataclass(frozen=True)
class Start:
    """So many notebooks, asked for at once."""

    people: int
    seconds: list[float]  # from the request until ready, of each that became ready

    def words(self) -> str:
        """The last one's time, and how many never came."""
        missing = self.people - len(self.seconds)
        last = f"{max(self.seconds):.1f} s" if self.seconds else "none"
        return f"{last}, {missing} failed" if missing else last


class Operator:
    """A program that may start and stop everybody's notebooks."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._api = url, f"{url}/hub/api"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"token {token}"

    def wait_until_there(self) -> None:
        """Until the hub answers."""
        _wait(lambda: self._ask("GET", "users").ok, 120)

    def start(self, people: Sequence[str]) -> Start:
        """Start a notebook for each, and wait for all."""
        tokens = {name: self._make_person(name) for name in people}
        begin, ready, asked = time.monotonic(), dict[str, float](), datetime.now(UTC)
        waiting = set(people)
        for name in people:
            self._ask("POST", f"users/{name}/server")
        while waiting and time.monotonic() - begin < _LONGEST:
            for name in sorted(waiting):
                server = self._server(name)
                if server is None:  # given up
                    waiting.discard(name)
                elif server["ready"] and self._lets_in(name, tokens[name], asked):
                    ready[name] = time.monotonic() - begin
                    waiting.discard(name)
            time.sleep(_LOOK_EVERY)
        return Start(len(people), list(ready.values()))

    def ask_for(self, people: Sequence[str]) -> None:
        """Ask for a notebook for each, who are made, and look no further."""
        for name in people:
            self._make_person(name)
        for name in people:
            self._ask("POST", f"users/{name}/server")

    def is_ready(self, name: str) -> bool:
        """Whether the hub calls the notebook of a person ready."""
        server = self._server(name)
        return bool(server and server["ready"])

    def stop(self, people: Sequence[str]) -> None:
        """Stop all, and wait until the hub calls them gone."""
        for name in people:
            self._ask("DELETE", f"users/{name}/server")
        _wait(lambda: all(self._server(name) is None for name in people), _LONGEST)

    def _make_person(self, name: str) -> str:
        """A token of a person, who is made where there is none."""
        self._ask("POST", f"users/{name}")
        return str(self._ask("POST", f"users/{name}/tokens").json()["token"])

    def _lets_in(self, name: str, token: str, since: datetime) -> bool:
        address = f"{self._url}/user/{name}/api/status"
        try:
            answer = requests.get(address, headers={"Authorization": f"token {token}"}, timeout=5)
            return answer.ok and bool(datetime.fromisoformat(answer.json()["started"]) > since)
        except requests.RequestException:
            return False

    def _server(self, name: str) -> dict[str, Any] | None:
        servers: dict[str, dict[str, Any]] = self._ask("GET", f"users/{name}").json().get("servers") or {}
        found = servers.get("")
        return found if found and (found["ready"] or found["pending"]) else None

    def _ask(self, method: str, path: str) -> requests.Response:
        try:
            return self._session.request(method, f"{self._api}/{path}", timeout=60)
        except requests.ConnectionError:  # it is not there yet
            answer = requests.Response()
            answer.status_code = 503
            return answer


def measure_hubs(counts: Sequence[int]) -> None:
    """Print a table: so many notebooks at once, at both hubs, the first time and again at once."""
    engine = docker.from_env(timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with started_hub(Path(folder)) as (url, token):
                ours = _measure(url, token, counts)
            hub, notebook = _current(engine, "hub"), _current(engine, "notebook-minimal")
            with started_plain_hub(engine, hub, notebook, _free_port()) as (url, token):
                plain = _measure(url, token, counts)
        finally:
            engine.close()
    print(f"{'notebooks at once':<20}{'plain SwarmSpawner':>28}{'ours':>28}{'ratio':>8}")
    for (count, again), one in ours.items():
        other = plain[count, again]
        label = f"{count}, {'again at once' if again else 'new'}"
        both = one.seconds and other.seconds
        ratio = f"{max(one.seconds) / max(other.seconds):.2f}" if both else "-"
        print(f"{label:<20}{other.words():>28}{one.words():>28}{ratio:>8}")


def _measure(url: str, token: str, counts: Sequence[int]) -> dict[tuple[int, bool], Start]:
    operator, found = Operator(url, token), dict[tuple[int, bool], Start]()
    operator.wait_until_there()
    warm = ["warm-up"]
    operator.start(warm)
    operator.stop(warm)
    for count in counts:
        people = [f"p{secrets.token_hex(3)}" for _ in range(count)]
        for again in (False, True):
            found[count, again] = operator.start(people)
            print(f"{url}: {count} at once: {found[count, again].words()}", file=sys.stderr)
            operator.stop(people)
    return found


@contextmanager
def started_hub(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a hub of the role `jupyterhub`, and the token of its operator. Nobody signs in."""
    port, token = _free_port(), secrets.token_urlsafe(32)
    nowhere = dict.fromkeys(("authorize_url", "token_url", "userdata_url"), "https://nobody.example.org")
    profile = {"name": "bench", "title": "Bench", "cpu_limit": 2.0, "memory_limit": 1024}
    url = f"http://127.0.0.1:{port}"
    variables = {
        "jupyterhub_stack": f"bench-hub-{secrets.token_hex(3)}",
        "jupyterhub_url": url,
        "jupyterhub_subdomains": False,
        "jupyterhub_port": port,
        "jupyterhub_secret": secrets.token_urlsafe(32),
        "jupyterhub_operator_token": token,
        "jupyterhub_sign_in": "oidc",
        "jupyterhub_oidc": {"client_id": "bench", **nowhere},
        "jupyterhub_oidc_client_secret": "nobody signs in",
        "jupyterhub_cpu_reservation_ratio": 0.01,
        "jupyterhub_memory_reservation_ratio": 0.1,
        "jupyterhub_start_timeout": 300,
        "jupyterhub_network_subnet": "10.213.0.0/24",
        "jupyterhub_control_subnet": "10.213.1.0/27",
        "jupyterhub_profiles": [{**profile, "image": "labyard/notebook-minimal:current"}],
        "jupyterhub_keep_data": False,
    }
    images = {"role": "labyard.platform.image", "image_names": ["hub", "notebook-minimal"]}
    try:
        _play(folder, variables, [images, {"role": "labyard.platform.jupyterhub"}])
        yield url, token
    finally:
        removal = {"name": "labyard.platform.jupyterhub", "tasks_from": "remove"}
        _play(folder, variables, [], [{"name": "Remove the hub", "ansible.builtin.include_role": removal}])


def _play(
    folder: Path,
    variables: dict[str, Any],
    roles: list[dict[str, Any]],
    tasks: Sequence[dict[str, Any]] = (),
) -> None:
    given = {**variables, "ansible_python_interpreter": sys.executable}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": given}
    path = folder / "play.yml"
    path.write_text(json.dumps([{**play, "roles": roles, "tasks": list(tasks)}]), encoding="utf-8")
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [str(program), "-i", "localhost,", str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-1000:])


def _current(engine: docker.DockerClient, name: str) -> str:
    """The pinned name of an image that was made last."""
    return next(tag for tag in engine.images.get(f"labyard/{name}:current").tags if "current" not in tag)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(_LOOK_EVERY)
