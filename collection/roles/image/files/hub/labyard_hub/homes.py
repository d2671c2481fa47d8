"""Folders of homes in a store that nodes share: each must be there before it is mounted. Pure.

A container with the store mounted makes it; nobody else sees all homes.
"""

from __future__ import annotations

from typing import Any

from .names import slug, volume_name
from .service import PREFIX, Ground

_END = "/{user}"
_TARGET = "/homes"
_MAKE = """
cd /homes
[ -d "$1" ] || mkdir -m 0700 -- "$1"
[ "$(stat -c %u:%g -- "$1")" = 1000:1000 ] || chown 1000:1000 -- "$1"
"""


def maker_of(ground: Ground, user: str, image: str) -> dict[str, Any] | None:
    """The container that makes the folder of a person's home, None where there is no store.

    :param image: an image with a shell, on the node of the hub
    """
    mount = _store(ground)
    if mount is None:
        return None
    return {
        "Image": image,
        "Entrypoint": ["sh", "-euc", _MAKE, "sh"],
        # The same as in the options of the volume.
        "Cmd": [volume_name("{user}", user)],
        "User": "0:0",
        "HostConfig": {
            "Mounts": [mount],
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
            "SecurityOpt": ["no-new-privileges"],
        },
    }


def _store(ground: Ground) -> dict[str, Any] | None:
    """The mount of the folder in which homes lie."""
    home = ground.home
    if home["type"] == "bind":
        folder = str(home["source"])
        return (
            {"Type": "bind", "Source": folder.removesuffix(_END), "Target": _TARGET}
            if folder.endswith(_END)
            else None
        )
    options = {name: str(value) for name, value in (home.get("driver_opts") or {}).items()}
    if not any(value.endswith(_END) for value in options.values()):
        return None
    return {
        "Type": "volume",
        "Source": f"{slug(volume_name(str(home['source']), 'store'), 60)}-all",
        "Target": _TARGET,
        "VolumeOptions": {
            "Labels": {PREFIX: ground.hub},
            "DriverConfig": {
                "Name": home.get("driver") or "local",
                "Options": {name: value.removesuffix(_END) for name, value in options.items()},
            },
        },
    }
