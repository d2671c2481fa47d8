"""Folders of homes in a store that nodes share."""

from __future__ import annotations

from typing import Any

import pytest
from labyard_hub.homes import maker_of
from labyard_hub.service import Ground, home_mount

NFS = {"type": "nfs", "o": "addr=192.0.2.9,rw", "device": ":/homes/{user}"}


def ground(**home: Any) -> Ground:
    """A hub with such homes."""
    return Ground(hub="labyard-hub", network="n", home={"type": "volume", "source": "hub-{user}", **home})


def test_maker_when_homes_lie_in_a_store_then_mounts_the_store_and_makes_what_is_mounted_later() -> None:
    place = ground(driver_opts=NFS)
    made = maker_of(place, "Ada.King", "labyard/notebook-minimal:1")
    assert made is not None
    (mount,) = made["HostConfig"]["Mounts"]
    assert mount["VolumeOptions"]["DriverConfig"] == {
        "Name": "local",
        "Options": {**NFS, "device": ":/homes"},
    }
    assert mount["VolumeOptions"]["Labels"] == {"labyard.hub": "labyard-hub"}, "so it goes with the hub"
    later = home_mount(place, "Ada.King")["VolumeOptions"]["DriverConfig"]["Options"]["device"]
    assert later == f":/homes/{made['Cmd'][0]}"
    assert made["HostConfig"]["CapDrop"] == ["ALL"]
    assert made["HostConfig"]["NetworkMode"] == "none"


def test_maker_when_homes_are_folders_then_mounts_the_one_above() -> None:
    made = maker_of(ground(type="bind", source="/srv/homes/{user}"), "ada", "x")
    assert made is not None
    assert made["HostConfig"]["Mounts"][0]["Source"] == "/srv/homes"
    assert made["Cmd"] == ["ada"]


@pytest.mark.parametrize(
    "home",
    [
        {},
        {"driver": "sshfs"},
        {"driver_opts": {"size": "1G"}},
        {"type": "bind", "source": "/srv/{user}/home"},
    ],
)
def test_maker_when_there_is_no_store_then_none(home: dict[str, Any]) -> None:
    assert maker_of(ground(**home), "ada", "x") is None
