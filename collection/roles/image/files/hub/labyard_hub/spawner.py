"""One service of the swarm for each server of each person."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from docker.errors import APIError
from dockerspawner import SwarmSpawner
from requests.exceptions import RequestException
from traitlets import Any as AnyTrait
from traitlets import Float

from .homes import maker_of
from .line import Line, places_of
from .names import service_name
from .networks import NoNetwork, choose_network
from .profiles import Profile, choice_form, choose
from .service import PREFIX, Ground, Server, build_service, key_of
from .tasks import Look, Task, explain, failures, look, still_there

_FIRST_TASK = 10.0  # seconds within which the swarm makes a task for a new service
_STORE = 60  # seconds that a store of homes may take
_ENGINE_AWAY = 30.0  # seconds for which an engine, or a swarm without a leader, may not answer


class StartFailed(Exception):
    """A server could not be started; the words are for its owner."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.jupyterhub_message = words


class LabyardSpawner(SwarmSpawner):
    """SwarmSpawner with real mounts, rights taken away, causes told, and ends that are waited for."""

    ground: Ground = AnyTrait(config=True, help="What all servers have in common.")
    profiles: dict[str, Profile] = AnyTrait(config=True, help="What people choose from, by name.")
    pending_timeout = Float(
        30.0, config=True, help="Seconds for which a server may wait for a place on a node."
    )

    #: The constraint of the node on which the home lies, as far as that matters; it is remembered after the
    #: end. It names the host: a node that was made anew from a backup has another id, and the home.
    home_place = ""
    _seen = Look("coming", 5, "Asking the swarm.")
    # All spawners share both. Many people start at once, and each call waits for the engine.
    _executor = ThreadPoolExecutor(4, thread_name_prefix="engine")
    _line = Line()
    _creating = asyncio.Lock()
    _attempt: object = None  # the start that goes on, if it was not given up

    # --- What is remembered between two starts of the hub ----------------------------------------

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        return state | ({"home_place": self.home_place} if self.home_place else {})

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.home_place = _place_in(state)

    # --- What is chosen ---------------------------------------------------------------------------

    def _options_form_default(self) -> str:
        return choice_form(self.profiles)

    def options_from_form(self, formdata: dict[str, list[str]]) -> dict[str, str]:
        """The choice of a form as options; only a profile can be chosen."""
        return {"profile": (formdata.get("profile") or [""])[0]}

    def _chosen(self) -> Profile:
        try:
            profile = choose(self.profiles, str(self.user_options.get("profile") or ""))
        except ValueError as error:
            raise StartFailed(str(error)) from error
        self.image = profile.image
        self.cpu_limit = profile.cpu_limit
        self.mem_limit = profile.memory_limit << 20
        return profile

    # --- Start, stop, look ------------------------------------------------------------------------

    async def start(self) -> tuple[str, int]:
        """Start the server, returning where it answers; raises StartFailed with the cause in words."""
        profile = self._chosen()
        self._seen = Look("coming", 5, "Asking the swarm.")
        attempt = self._attempt = object()
        await self._end_services()
        places = places_of(await self._patiently(lambda: self.docker("nodes")))
        self._seen = Look("coming", 5, "Waiting for others who start.")
        async with self._line.turn(places):
            if self._attempt is not attempt:
                raise StartFailed("It was given up before its turn came.")
            return await self._start_now(profile)

    async def _start_now(self, profile: Profile) -> tuple[str, int]:
        await self._ensure_home(profile)
        self.object_name = service_name(self.ground.hub, self.user.name, self.name, secrets.token_hex(2))
        server = Server(
            user=self.user.name,
            name=self.name,
            service=self.object_name,
            command=await self.get_command(),
            environment=self.get_env(),
            place=self._known_place() if self.ground.keeps_to_its_node else "",
        )
        # One after another: what was chosen for one must be seen by the next.
        async with self._creating:
            server = replace(server, network=await self._choose_network())
            try:
                made = await self.docker("create_service", **build_service(self.ground, server, profile))
            except APIError as error:
                raise StartFailed(explain(error.explanation or str(error))) from error
        self.object_id = made["ID"]
        self.log.info("Created service %s", self.object_name)
        try:
            await self._wait_until_it_listens()
        except StartFailed:
            await self._end_services()
            raise
        return self.object_name, self.port

    async def stop(self, now: bool = False) -> None:
        """End the server; back when its container is gone."""
        self._attempt = None
        await self._end_services()
        self.object_id = ""
        self.clear_state()

    async def poll(self) -> int | None:
        """None while it is there or coming back, else the code with which it ended."""
        if not self.object_id:
            return 0
        seen = look(await self._own_tasks())
        if seen.state in ("coming", "waiting", "running"):
            return None
        self.log.warning("Service %s: %s", self.object_name, seen.words)
        if seen.state != "gone":
            await self._end_services()
        return seen.exit_code

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the page of a starting server shows, as it changes."""
        shown = None
        while True:
            if self._seen is not shown:
                shown = self._seen
                yield {"progress": shown.progress, "message": shown.words}
            await asyncio.sleep(0.25)

    async def _choose_network(self) -> str:
        """The network for this person's notebooks, empty if all share one; raises StartFailed."""
        if not self.ground.private_networks:
            return ""
        ours = {"label": [f"{PREFIX}={self.ground.hub}"]}
        services = await self._patiently(lambda: self.docker("services", filters=ours))
        tasks = await self._without_lost(await self._patiently(lambda: self.docker("tasks", filters=ours)))
        labels = [service["Spec"].get("Labels") or {} for service in services]
        # A container goes on for seconds when its service is no more.
        labels += [task["Spec"]["ContainerSpec"].get("Labels") or {} for task in tasks if still_there([task])]
        try:
            return choose_network(self.ground.private_networks, self.user.name, labels)
        except NoNetwork as error:
            raise StartFailed(str(error)) from error

    async def _ensure_home(self, profile: Profile) -> None:
        """Have the folder of the home in the store, where homes lie in one; raises StartFailed."""
        wanted = maker_of(self.ground, self.user.name, profile.image)
        if wanted is None:
            return
        try:
            made = await self.docker("create_container_from_config", wanted)
            try:
                await self.docker("start", made["Id"])
                ended = await self.docker("wait", made["Id"], timeout=_STORE)
                log = await self.docker("logs", made["Id"], tail=1)
            finally:
                await self.docker("remove_container", made["Id"], force=True)
        except (APIError, RequestException) as error:
            raise StartFailed(f"Your home could not be made. Tell an admin: {error}") from error
        if ended["StatusCode"]:
            said = log.decode("utf-8", "replace").strip()
            raise StartFailed(f'Your home could not be made. Tell an admin: "{said}".')

    # --- Waiting ----------------------------------------------------------------------------------

    async def _wait_until_it_listens(self) -> None:
        """Wait until the container runs and takes connections; the hub asks for more from then on."""
        begin, waits_since, pause = time.monotonic(), 0.0, 0.2
        while True:
            tasks = await self._own_tasks()
            now = time.monotonic()
            bad = failures(tasks)
            if bad:
                raise StartFailed(await self._why(bad[-1]))
            seen = look(tasks)
            if seen.state == "ended" or (seen.state == "gone" and now - begin > _FIRST_TASK):
                raise StartFailed(seen.words)
            if seen.state != "gone":
                self._seen = seen
            waits_since = (waits_since or now) if seen.state == "waiting" else 0.0
            if waits_since and now - waits_since > self.pending_timeout:
                raise StartFailed(seen.words)
            if seen.state == "running" and await _listens(self.object_name, self.port):
                if self.ground.keeps_to_its_node:
                    self.home_place = await self._place_of(seen.node)
                    await self._stay_there()
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 1.0)

    async def _stay_there(self) -> None:
        """Have the swarm start it on the node of its home alone, should it have to. Its container goes on."""
        made = await self._patiently(lambda: self.docker("inspect_service", self.object_id))
        spec, template = made["Spec"], made["Spec"]["TaskTemplate"]
        placement = template.get("Placement") or {}
        constraints = placement.get("Constraints") or []
        if self.home_place in constraints:
            return
        template["Placement"] = {**placement, "Constraints": [*constraints, self.home_place]}
        # All else as it is: with a default that is only spelled out, the container would be another.
        await self.docker(
            "update_service",
            self.object_id,
            version=made["Version"]["Index"],
            name=spec["Name"],
            labels=spec.get("Labels"),
            mode=spec["Mode"],
            task_template=template,
            update_config=spec.get("UpdateConfig"),
            rollback_config=spec.get("RollbackConfig"),
            endpoint_spec=spec.get("EndpointSpec"),
        )

    async def _why(self, task: Task) -> str:
        """Why a task failed, with the last line that it wrote."""
        words = look([task]).words
        try:
            log = await asyncio.wait_for(asyncio.to_thread(self._read_log, self.object_id), 5)
        except (APIError, RequestException, TimeoutError):
            return words
        last = log.strip().rpartition("\n")[2][-300:]
        return f'{words} Its last words: "{last}".' if last else words

    def _read_log(self, service: str) -> str:
        """The last lines that a service wrote."""
        return b"".join(self.client.service_logs(service, stdout=True, stderr=True, tail=3)).decode(
            "utf-8", "replace"
        )

    async def _end_services(self) -> None:
        """Remove every service of this server, whatever it is called, and wait for their containers."""
        labels = {"label": [f"{PREFIX}={self.ground.hub}", f"{PREFIX}.key={self._key()}"]}
        for service in await self._patiently(lambda: self.docker("services", filters=labels)):
            try:
                await self.docker("remove_service", service["ID"])
            except APIError as error:
                if error.response.status_code != 404:
                    raise
        end = time.monotonic() + self.ground.stop_seconds + 20
        while still_there(await self._without_lost(await self._patiently(self._tasks))):
            if time.monotonic() > end:
                self.log.error("The container of %s does not end", self.object_name)
                raise StartFailed("The notebook that was there before does not end. Tell an admin.")
            await asyncio.sleep(0.2)

    async def _without_lost(self, tasks: list[Task]) -> list[Task]:
        """Those whose node is not down: one that is down cannot say that its containers have ended."""
        holders = {task["NodeID"] for task in tasks if task.get("NodeID") and still_there([task])}
        down = set()
        for node in holders:
            try:
                seen = await self.docker("inspect_node", node)
            except APIError as error:
                if error.response.status_code != 404:
                    raise
                down.add(node)
                continue
            if seen["Status"]["State"] == "down":
                down.add(node)
        return [task for task in tasks if task.get("NodeID") not in down]

    # --- Reading ----------------------------------------------------------------------------------

    def _key(self) -> str:
        return key_of(self.user.name, self.name)

    async def _own_tasks(self) -> Any:
        """The tasks of the service that was made last.

        By its id the swarm finds them at once; by labels it looks at those of everybody, and the hub asks
        for each server every half minute. A manager that does not know the id yet is asked by labels.
        """
        try:
            return await self._patiently(lambda: self.docker("tasks", filters={"service": [self.object_id]}))
        except APIError as error:
            if error.response.status_code != 404:
                raise
        return await self._patiently(self._tasks)

    def _tasks(self) -> Any:
        return self.docker(
            "tasks", filters={"label": [f"{PREFIX}={self.ground.hub}", f"{PREFIX}.key={self._key()}"]}
        )

    async def _patiently(self, read: Callable[[], Any]) -> Any:
        """What `read` gives; an engine that is away for a moment is asked again."""
        end = time.monotonic() + _ENGINE_AWAY
        while True:
            try:
                return await read()
            except (APIError, RequestException) as error:
                answered = isinstance(error, APIError) and error.response.status_code < 500
                if answered or time.monotonic() > end:
                    raise
                self.log.warning("The engine does not answer (%s); asking again", error)
            await asyncio.sleep(2)

    async def _place_of(self, node: str) -> str:
        """The constraint that only this node fulfils."""
        seen = await self._patiently(lambda: self.docker("inspect_node", node))
        return f"node.hostname=={seen['Description']['Hostname']}"

    def _known_place(self) -> str:
        """The constraint of the node of this person's home, if one of their servers has run before."""
        if self.home_place:
            return self.home_place
        states = (spawner.state or {} for spawner in self.orm_spawner.user.orm_spawners.values())
        return next((place for place in map(_place_in, states) if place), "")


def _place_in(state: Mapping[str, Any]) -> str:
    """What a state says of the home's node; older ones have the node's id."""
    node = state.get("home_node")
    return str(state.get("home_place") or (f"node.id=={node}" if node else ""))


async def _listens(host: str, port: int) -> bool:
    """Whether something takes connections there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
