# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of homes in a store: made, moved away, looked at, by a container that has the store mounted.

The store need not be mounted on the node, and nobody but this container sees all homes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from .._stack.engine import Engine
from .._stack.errors import EngineError
from .store import Store, StoreError, check_name

_TARGET = "/homes"
_SECONDS = 120
_OWNER = "1000:1000"

_MAKE = """
cd /homes
word=there
if [ ! -d "$1" ]; then word=made; [ "$2" = look ] || mkdir -m 0700 -- "$1"; fi
if [ "$2" != look ] && [ "$(stat -c %u:%g -- "$1")" != 1000:1000 ]; then chown 1000:1000 -- "$1"; fi
echo "$word"
"""
_AWAY = """
cd /homes
[ -d "$1" ] || { echo gone; exit; }
[ "$2" != look ] || { echo moved; exit; }
mkdir -p -m 0700 .removed
touch -- "$1"
mv -- "$1" ".removed/$1.$(date -u +%Y%m%dT%H%M%SZ)"
echo moved
"""
_SWEEP = """
cd /homes
[ -d .removed ] || exit 0
find .removed -mindepth 1 -maxdepth 1 -mtime "+$1" -print
[ "$2" = look ] || find .removed -mindepth 1 -maxdepth 1 -mtime "+$1" -exec rm -rf -- {} +
"""
_MARK = """
cd /homes
if [ ! -s .labyard-store ] && [ -n "$1" ]; then printf '%s' "$1" >.labyard-store; fi
cat .labyard-store 2>/dev/null || true
"""


@dataclass(frozen=True)
class HomeFolders:
    """The folders of a store, through an engine.

    :param image: an image of the engine with a shell
    """

    engine: Engine
    store: Store
    image: str

    def ensure(self, name: str, check_mode: bool) -> bool:
        """Have a folder for a home, of the user of notebooks alone; True if it was made.

        Raises StoreError if the store cannot be mounted or written to.
        """
        return self._run(_MAKE, check_name(name), _way(check_mode)) == "made"

    def put_away(self, name: str, check_mode: bool) -> bool:
        """Move a home to `.removed`; True if it was there. Raises StoreError."""
        return self._run(_AWAY, check_name(name), _way(check_mode)) == "moved"

    def sweep(self, days: int, check_mode: bool) -> list[str]:
        """Delete homes that were put away more than so many days ago; their names. Raises StoreError."""
        said = self._run(_SWEEP, str(days), _way(check_mode))
        return [line.removeprefix(".removed/") for line in said.splitlines()]

    def mark(self, check_mode: bool) -> str:
        """What stands in the store's own mark, written if there is none: alike on all nodes that share it."""
        return self._run(_MARK, "" if check_mode else secrets.token_hex(8))

    def _run(self, script: str, *words: str) -> str:
        body = self._container(script, words)
        try:
            made = self.engine.post("/containers/create", body)["Id"]
        except EngineError as error:
            raise self._failure(str(error)) from error
        try:
            return self._outcome(made)
        finally:
            self.engine.delete(f"/containers/{made}", {"force": "true"})
            self._forget_volume()

    def _outcome(self, container: str) -> str:
        try:
            self.engine.post(f"/containers/{container}/start")
        except EngineError as error:
            raise self._failure(str(error)) from error
        ended = self.engine.request("POST", f"/containers/{container}/wait", timeout=_SECONDS).json()
        shown = {"stdout": "true", "stderr": "true"}
        said = str(self.engine.request("GET", f"/containers/{container}/logs", shown).text).replace("\r", "")
        if ended["StatusCode"]:
            raise self._failure(said)
        return said.strip()

    def _container(self, script: str, words: tuple[str, ...]) -> dict[str, Any]:
        return {
            "Image": self.image,
            "Entrypoint": ["sh", "-euc", script, "sh"],
            "Cmd": list(words),
            "User": "0:0",
            # One stream without a frame around each line.
            "Tty": True,
            "HostConfig": {
                "Mounts": [self.store.base_mount(_TARGET)],
                "NetworkMode": "none",
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
                "SecurityOpt": ["no-new-privileges"],
            },
        }

    def _forget_volume(self) -> None:
        """Only this node's note of the store goes; another container may have it just now."""
        try:
            self.engine.delete(f"/volumes/{self.store.base_volume}")
        except EngineError as error:
            if error.status not in (404, 409):
                raise

    def _failure(self, said: str) -> StoreError:
        text = " ".join(said.split())
        return StoreError(f"The store of homes cannot be used: {text}. {_advice(text, self.store)}")


def _way(check_mode: bool) -> str:
    return "look" if check_mode else "do"


def _advice(said: str, store: Store) -> str:
    """What to do about what an engine or a shell said."""
    low = said.lower()
    places = ", ".join(f"{key}={text}" for key, text in store.options if "{user}" in text)
    if "no such image" in low:
        return "Run the role image on this node first."
    if "plugin" in low and "not found" in low:
        return f"Install the volume plugin {store.driver} on this node (docker plugin install)."
    if "no such file" in low or "does not exist" in low:
        return f"Make the folder that homes lie in on the store ({places}), or correct it."
    if "no such device" in low or "unknown filesystem" in low:
        return "The kernel of this node does not know this kind of file system: install what it takes."
    if "not permitted" in low or "permission denied" in low:
        return f"The store does not let root give folders to the user {_OWNER}: see its export options."
    return f"Check that this node reaches it ({places})."
