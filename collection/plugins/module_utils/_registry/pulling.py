# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull images that an engine does not have as its registry does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .engine import EngineImages, LocalImage
from .errors import RegistryError
from .names import ImageName, parse_name
from .room import free_bytes, in_gib

HASH_LABEL = "labyard.hash"


@dataclass(frozen=True)
class Wish:
    """One image to have: where it comes from, what it must be, and its names here."""

    name: str
    digest: str = ""  # the only one that is taken, if given
    keep_as: str = ""  # a repository; empty: that of `name`


@dataclass
class Pulled:
    """What came, what got a new name, and by name asked for: digest and the name that never moves."""

    pulled: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)


def pull_images(engine: EngineImages, wishes: Sequence[Wish], least_free: int, check_mode: bool) -> Pulled:
    """Have each image on this engine as its registry has it now.

    :param least_free: bytes that must be free where the engine keeps images, before any is pulled
    :raises RegistryError: the registry has no such image, or another one; there is no room
    """
    done = Pulled()
    for wish in wishes:
        name = parse_name(wish.name)
        digest = _digest_of(engine, name, wish)
        done.digests[wish.name] = digest
        image = engine.find(f"{name.repository}@{digest}")
        if image is None:
            _check_room(engine, least_free)
            done.pulled.append(wish.name)
            if check_mode:
                continue
            engine.pull(ImageName(name.host, name.path, digest=digest))
            image = engine.find(f"{name.repository}@{digest}")
        if image is None:
            raise RegistryError(f"{wish.name} was pulled and is gone again: does somebody prune this engine?")
        _give_names(engine, image, name, wish, done, check_mode)
    return done


def _digest_of(engine: EngineImages, name: ImageName, wish: Wish) -> str:
    digest = engine.remote_digest(name)
    if not digest:
        raise RegistryError(
            f"{name.registry} does not have {wish.name}: push it there first (image_push_to of the role "
            "image), or correct its name."
        )
    if wish.digest and digest != wish.digest:
        raise RegistryError(
            f"{wish.name} is {digest} at its registry, and not {wish.digest} as is wanted. Find out who "
            "pushed it; if it is right, change the digest."
        )
    return digest


def _check_room(engine: EngineImages, least_free: int) -> None:
    folder = engine.data_folder()
    free = free_bytes(folder)
    if free < least_free:
        raise RegistryError(
            f"Only {in_gib(free)} are free in {folder}, and {in_gib(least_free)} must be before an image is "
            "pulled. Make room on this node, for example with `docker image prune`."
        )


def _give_names(
    engine: EngineImages, image: LocalImage, name: ImageName, wish: Wish, done: Pulled, check_mode: bool
) -> None:
    """The tag asked for, and one that names the content where the image says what it is made of."""
    home = parse_name(wish.keep_as) if wish.keep_as else name
    content = image.labels.get(HASH_LABEL, "")
    targets = [
        ImageName(home.host, home.path, tag) for tag in dict.fromkeys([name.tag or "latest", content]) if tag
    ]
    done.references[wish.name] = targets[-1].tagged
    for target in targets:
        if target.tagged not in image.names:
            done.named.append(target.tagged)
            if not check_mode:
                engine.tag(image.id, target)
