"""Which network the notebooks of a person are in, where people have networks of their own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .names import digest
from .service import NETWORK, OWNER


class NoNetwork(Exception):
    """All networks have somebody's notebooks in them; the words are for who wants one."""


def choose_network(networks: Sequence[str], user: str, labels: Iterable[Mapping[str, str]]) -> str:
    """The network for `user`, empty if people share one; raises NoNetwork.

    :param networks: names of those that are each for one person at a time
    :param labels: those of all notebooks that are there, also of those that are just ending
    """
    if not networks:
        return ""
    owners = {found[NETWORK]: found[OWNER] for found in labels if NETWORK in found}
    for network, owner in owners.items():
        if owner == user and network in networks:
            return network
    # Everybody begins to look elsewhere, so that a network that has become free is not taken at once.
    first = int(digest(user), 16) % len(networks)
    for network in [*networks[first:], *networks[:first]]:
        if network not in owners:
            return network
    raise NoNetwork(
        f"{len(networks)} people have notebooks, and there is a network of their own for no more. Try again "
        "when somebody has stopped theirs, or ask an admin for a larger jupyterhub_private_networks."
    )
