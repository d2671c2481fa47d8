# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push images that a registry does not have as they are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .engine import EngineImages, LocalImage
from .errors import RegistryError
from .names import ImageName, parse_name
from .room import bytes_for, free_bytes, in_gib


@dataclass(frozen=True)
class Pushed:
    """What was pushed, and digests by target; in check mode, what would be pushed has an empty one."""

    pushed: tuple[str, ...]
    digests: dict[str, str]


@dataclass(frozen=True)
class _Wanted:
    source: LocalImage
    target: ImageName
    there: str  # the digest that the registry has under this name, or nothing


def push_images(
    engine: EngineImages, pairs: Sequence[tuple[str, str]], volume: str, check_mode: bool
) -> Pushed:
    """Have each image of the engine in its registry: pairs of a name here and a name there.

    :param volume: the registry's volume; where this engine has it, its room is looked at first
    :raises RegistryError: an image is not here, there is no room, or the registry refuses
    """
    wanted = [_look_up(engine, source, target) for source, target in pairs]
    missing = [item for item in wanted if not _is_there(item)]
    digests = {item.target.tagged: item.there for item in wanted if _is_there(item)}
    _check_room(engine, wanted, missing, volume)
    for item in missing:
        digests[item.target.tagged] = "" if check_mode else _push(engine, item)
    return Pushed(tuple(item.target.tagged for item in missing), digests)


def _look_up(engine: EngineImages, source: str, target: str) -> _Wanted:
    found = engine.find(source)
    if found is None:
        raise RegistryError(f"The image {source} is not on this engine: the role image makes it.")
    name = parse_name(target)
    if not name.host or name.digest:
        raise RegistryError(
            f"{target}: name the registry and a tag, as in registry.example.org:5000/labyard/x:1."
        )
    return _Wanted(found, name, engine.remote_digest(name))


def _is_there(item: _Wanted) -> bool:
    return bool(item.there) and item.source.digest_in(item.target.repository) == item.there


def _push(engine: EngineImages, item: _Wanted) -> str:
    engine.tag(item.source.id, item.target)
    return engine.push(item.target)


def _check_room(
    engine: EngineImages, wanted: Sequence[_Wanted], missing: Sequence[_Wanted], volume: str
) -> None:
    folder = engine.volume_folder(volume) if missing and volume else None
    if folder is None:
        return
    needed = bytes_for(
        [item.source for item in missing], [item.source for item in wanted if item not in missing]
    )
    free = free_bytes(folder)
    if free < needed:
        raise RegistryError(
            f"The registry has {in_gib(free)} left in {folder}, and these images may take {in_gib(needed)}: "
            f"{', '.join(item.target.tagged for item in missing)}. Make room on its disk, or throw away old "
            "images (the role registry's entry point prune). Nothing was pushed."
        )
