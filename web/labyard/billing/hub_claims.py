"""One console alone bills a hub: it claims it, with a config of the swarm.

The managers of a swarm agree on each config and refuse a second one of the same name, so a claim is whole
or not there, whoever asks at the same time and wherever. It carries no label `labyard.console`: what does is
part of a deployment.
"""

from __future__ import annotations

import hashlib

from labyard.deployments.swarm import (
    EngineClient,
    StoredConfig,
    create_config,
    engine,
    has_services,
    read_config,
    remove_config,
)
from labyard.errors import Conflict
from labyard.settings import Settings

HUB = "labyard.billed-hub"
CONSOLE = "labyard.billed-by"
ADDRESS = "labyard.billed-by.url"
_STACK = "com.docker.stack.namespace"
_NOTEBOOK = "labyard.hub"
_PREFIX = "labyard-bills-"
_LONGEST = 64  # characters of a config's name
_TRIES = 5  # a claim may go between two looks at it


class HubTaken(Conflict):
    """Another console bills the hub; the text names it and says what to do."""


def claim_name(hub: str) -> str:
    """The name of the claim of the hub whose stack is `hub`."""
    name = _PREFIX + hub
    return name if len(name) <= _LONGEST else _PREFIX + hashlib.sha256(hub.encode()).hexdigest()[:32]


def claim_hub(client: EngineClient, hub: str, console: str, address: str) -> bool:
    """Claim `hub` for the console with the id `console` at `address`; whether anything was changed.

    A hub that is not on the swarm is not claimed: nothing of it can be billed. Raises HubTaken.
    """
    name = claim_name(hub)
    changed = False
    for _ in range(_TRIES):
        held = read_config(client, name)
        if held is None:
            if not has_services(client, f"{_STACK}={hub}", f"{_NOTEBOOK}={hub}"):
                return changed
            labels = {HUB: hub, CONSOLE: console, ADDRESS: address}
            if create_config(client, name, labels, address):
                return True
        elif held.labels.get(CONSOLE) != console:
            break
        elif held.labels.get(ADDRESS) == address:
            return changed
        else:
            # Where people reach this console has changed, and labels tell others of it.
            remove_config(client, held.id)
            changed = True
    raise _taken(hub, held, name)


def _taken(hub: str, held: StoredConfig | None, name: str) -> HubTaken:
    labels = held.labels if held is not None else {}
    who = labels.get(ADDRESS) or "of an unknown address"
    # Short, so that it stands in full in what the role says of a service that has ended with it.
    return HubTaken(
        f"The hub {hub} is billed by another console, {who} ({labels.get(CONSOLE) or 'unknown'}). Empty"
        " console_hub_stack (LABYARD_HUB_STACK) here, or, if that console is no more, remove its claim:"
        f" docker config rm {name}"
    )


def claim_own_hub(settings: Settings, console: str) -> bool:
    """Claim the hub of `settings`, if they name one to bill; whether anything was changed.

    Raises HubTaken, and Unavailable if the Engine does not answer.
    """
    if not bills_a_hub(settings):
        return False
    with engine(settings.docker_host) as client:
        return claim_hub(client, settings.hub_stack, console, settings.public_url)


def bills_a_hub(settings: Settings) -> bool:
    """Whether the console is to bill the notebooks of a hub."""
    return bool(settings.hub_url and settings.hub_stack)
