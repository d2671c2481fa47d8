"""Which network a person's notebooks are in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labyard_hub.networks import NoNetwork, choose_network
from labyard_hub.service import NETWORK, OWNER

NETWORKS = ["hub_person1", "hub_person2", "hub_person3"]
_PEOPLE = st.sampled_from(["ada", "bob", "eve", "dan", "kim"])


def test_network_when_people_share_one_then_none_is_chosen() -> None:
    assert choose_network([], "ada", [{OWNER: "bob"}]) == ""


@given(st.lists(_PEOPLE, max_size=20))
def test_network_when_chosen_for_one_after_another_then_never_two_people_in_one(people: list[str]) -> None:
    labels: list[dict[str, str]] = []
    for person in people:
        try:
            labels.append({OWNER: person, NETWORK: choose_network(NETWORKS, person, labels)})
        except NoNetwork:
            assert len({found[OWNER] for found in labels}) == len(NETWORKS)
            assert person not in {found[OWNER] for found in labels}
    owners = {(found[NETWORK], found[OWNER]) for found in labels}
    assert len(owners) == len({network for network, _ in owners}) == len({owner for _, owner in owners})


def test_network_when_all_are_taken_then_says_what_to_do() -> None:
    taken = [{OWNER: f"p{network}", NETWORK: network} for network in NETWORKS]
    with pytest.raises(NoNetwork, match="jupyterhub_private_networks"):
        choose_network(NETWORKS, "ada", taken)


def test_network_when_theirs_is_no_longer_one_of_them_then_is_another() -> None:
    assert choose_network(NETWORKS, "ada", [{OWNER: "ada", NETWORK: "hub_person9"}]) in NETWORKS
