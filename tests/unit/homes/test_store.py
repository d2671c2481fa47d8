"""What an operator's mapping says about where homes lie."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._homes.store import (
    StoreError,
    check_name,
    read_store,
)

NFS = {
    "driver_opts": {"type": "nfs", "o": "addr=192.0.2.9,nfsvers=4.1,rw", "device": ":/export/homes/{user}"}
}
CIFS = {
    "driver_opts": {
        "type": "cifs",
        "o": "addr=192.0.2.9,username=u,uid=1000",
        "device": "//192.0.2.9/homes/{user}",
    }
}
SSHFS = {
    "driver": "vieux/sshfs",
    "driver_opts": {"sshcmd": "homes@192.0.2.9:/srv/homes/{user}", "allow_other": ""},
}
BIND = {"driver_opts": {"type": "none", "o": "bind", "device": "/srv/homes/{user}"}}


@pytest.mark.parametrize(
    ("home", "key", "of_ada", "base"),
    [
        (NFS, "device", ":/export/homes/ada", ":/export/homes"),
        (CIFS, "device", "//192.0.2.9/homes/ada", "//192.0.2.9/homes"),
        (SSHFS, "sshcmd", "homes@192.0.2.9:/srv/homes/ada", "homes@192.0.2.9:/srv/homes"),
        (BIND, "device", "/srv/homes/ada", "/srv/homes"),
    ],
    ids=["nfs", "cifs", "sshfs", "bind"],
)
def test_store_when_shared_then_a_home_is_a_folder_of_its_base(
    home: dict[str, Any], key: str, of_ada: str, base: str
) -> None:
    store = read_store(home)
    volume = store.home("ada")
    assert volume["driver"] == home.get("driver", "local")
    assert volume["driver_opts"] == {**home["driver_opts"], key: of_ada}
    mount = store.base_mount("/homes")
    assert mount["VolumeOptions"]["DriverConfig"]["Options"] == {**home["driver_opts"], key: base}
    assert mount["Source"] == read_store(home).base_volume


def test_store_when_nothing_is_said_then_homes_stay_on_their_nodes() -> None:
    store = read_store({"type": "volume", "source": "home-{user}"})
    assert not store.is_shared
    assert store.home("ada") == {}


@pytest.mark.parametrize(
    ("home", "words"),
    [
        ({"driver_opts": {"type": "nfs", "device": ":/export"}}, "the same home"),
        ({"driver_opts": {"device": ":/{user}/files"}}, "last part"),
        ({"driver_opts": {"device": ":/{user}/{user}"}}, "last part"),
        ({"driver": "vieux/sshfs"}, "needs driver_opts"),
        ({"type": "bind", "source": "/srv/{user}"}, "of type volume"),
        ({"drivers": {}}, "knows no drivers"),
    ],
)
def test_store_when_it_cannot_be_meant_so_then_it_is_refused(home: dict[str, Any], words: str) -> None:
    with pytest.raises(StoreError, match=words):
        read_store(home)


@pytest.mark.parametrize("name", ["", ".removed", "..", "a/b", "a b", "a,o=bind", "-rf", "x" * 200])
def test_name_when_it_could_lead_elsewhere_then_it_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="can be no home"):
        check_name(name)
