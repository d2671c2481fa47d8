# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where homes lie: a mapping of an operator becomes volumes. Pure.

In the mapping `{user}` stands for whom or what a home belongs to: a person in the hub, a deployment in the
console.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._stack.errors import StackError

PLACE = "{user}"
_END = re.compile(r"/?\{user\}/?$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class StoreError(StackError):
    """A store that cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Store:
    """Volumes of one driver, with options; without any, each node keeps what is on it."""

    driver: str = "local"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether homes lie somewhere that has a folder for each."""
        return bool(self.options)

    def home(self, name: str) -> dict[str, Any]:
        """The volume of one home, as a compose file has it; empty if the swarm needs no telling."""
        if not self.is_shared:
            return {}
        filled = {key: text.replace(PLACE, name) for key, text in self.options}
        return {"driver": self.driver, "driver_opts": filled}

    def base_mount(self, target: str) -> dict[str, Any]:
        """The mount of the folder in which all homes lie, as the Engine API has it."""
        base = {key: _END.sub("", text) or "/" if PLACE in text else text for key, text in self.options}
        return {
            "Type": "volume",
            "Source": self.base_volume,
            "Target": target,
            "VolumeOptions": {
                "NoCopy": True,
                "DriverConfig": {"Name": self.driver, "Options": base},
            },
        }

    @property
    def base_volume(self) -> str:
        """The name of the volume that :meth:`base_mount` makes, another one for each store."""
        text = json.dumps([self.driver, self.options])
        return f"labyard-homes-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def read_store(home: Mapping[str, Any]) -> Store:
    """The store that an operator's mapping means; raises StoreError."""
    unknown = sorted(set(home) - {"type", "driver", "driver_opts", "source"})
    if unknown:
        raise StoreError(
            f"A home knows no {', '.join(unknown)}: it has type, driver, driver_opts and source."
        )
    if home.get("type", "volume") != "volume":
        raise StoreError(
            "A home must be of type volume. For a folder that all nodes have, take the driver local with "
            "{type: none, o: bind, device: /FOLDER/{user}}."
        )
    options = {str(key): str(value) for key, value in (home.get("driver_opts") or {}).items()}
    driver = str(home.get("driver") or "local")
    if driver != "local" and not options:
        raise StoreError(f"The driver {driver} needs driver_opts that say where homes lie.")
    _check_place(options)
    return Store(driver, tuple(sorted(options.items())))


def check_name(name: str) -> str:
    """The name of a home's folder; raises StoreError for one that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise StoreError(f"{name!r} can be no home: take letters, digits, dots, dashes and underscores.")
    return name


def _check_place(options: Mapping[str, str]) -> None:
    places = [key for key, text in options.items() if PLACE in text]
    if options and not places:
        raise StoreError(
            "driver_opts must have {user} at the end of the path, as in device: ':/export/homes/{user}'. "
            "Without it everybody would have the same home."
        )
    for key in places:
        if options[key].count(PLACE) != 1 or not _END.search(options[key]):
            raise StoreError(f"driver_opts: {{user}} must be the last part of {key}, once.")
