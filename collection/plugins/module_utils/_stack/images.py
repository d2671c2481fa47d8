# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which image a service gets: the reference as given, with a digest, or the one that runs."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .desired import IMAGE, DesiredStack
from .errors import EngineError
from .image import registry_of, with_digest
from .live import LiveStack


class ImageSource(Protocol):
    """What is asked about images; ``SwarmClient`` is one."""

    def is_local_only(self, image: str) -> bool:
        """Whether the engine has the image and no registry gave it."""

    def distribution(self, image: str) -> dict[str, Any]:
        """What the registry says; raises ``EngineError``."""


def resolve_images(desired: DesiredStack, live: LiveStack, resolve: str, source: ImageSource) -> list[str]:
    """Set the image of every service of ``desired`` in place, returning warnings.

    :param resolve: ``always`` asks the registry each time; ``changed`` only where the reference differs
        from that of the live service; ``never`` not at all. Where the registry gives no answer, what runs
        under the same reference stays; without that, and for an image that only this engine has, the
        reference stays as given.
    """
    warnings: list[str] = []
    answers: dict[str, dict[str, Any] | None] = {}
    for name, spec in desired.services.items():
        given = spec["TaskTemplate"]["ContainerSpec"]["Image"]
        existing = live.services.get(name, {}).get("Spec", {})
        running = existing if (existing.get("Labels") or {}).get(IMAGE) == spec["Labels"][IMAGE] else {}
        if running and resolve != "always":
            _keep_running(spec, running)
            continue
        if resolve == "never" or "@" in given:
            continue
        if given not in answers:
            answers[given] = _ask(given, source, warnings)
        answer = answers[given]
        if answer:
            digest = answer["Descriptor"]["digest"]
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = with_digest(given, digest)
            _set_platforms(spec, answer.get("Platforms"))
        elif running and answer is None:
            _keep_running(spec, running)
    return warnings


def words_about_images(
    reasons: Sequence[Mapping[str, Any]], desired: DesiredStack, warnings: Sequence[str], with_auth: bool
) -> str:
    """What to add to an error if services found no image: what the registry said, or what to set.

    :param reasons: see ``StackError.reasons``
    :param warnings: those of :func:`resolve_images`
    :param with_auth: the swarm was sent the credentials for the registry
    """
    lacking = [str(reason["service"]) for reason in reasons if reason.get("cause") == "image_missing"]
    if not lacking:
        return ""
    images = [desired.services[name]["TaskTemplate"]["ContainerSpec"]["Image"] for name in lacking]
    if warnings:
        return " ".join(warnings)
    if not with_auth and any("@" in image for image in images):
        return "The registry has it: if it wants credentials, with_registry_auth sends them to the nodes."
    return ""


def _keep_running(spec: dict[str, Any], running: Mapping[str, Any]) -> None:
    template = running["TaskTemplate"]
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = template["ContainerSpec"]["Image"]
    _set_platforms(spec, (template.get("Placement") or {}).get("Platforms"))


#: What registries, and engines that have no credentials for one, say to somebody whom they do not let in.
_REFUSED = re.compile(r"unauthorized|no basic auth credentials|denied|authentication required", re.IGNORECASE)


def _ask(image: str, source: ImageSource, warnings: list[str]) -> dict[str, Any] | None:
    """The registry's answer; empty where no registry need be asked, ``None`` where it gives none."""
    if source.is_local_only(image):
        return {}
    try:
        return source.distribution(image)
    except EngineError as error:
        said = " ".join(str(error).split())
        host = registry_of(image)
        if _REFUSED.search(said):
            advice = (
                f"The registry {host} refuses the image {image} ({said}): run 'docker login {host}' for the "
                "user of this task, and set with_registry_auth."
            )
        elif error.status == 404:
            advice = (
                f"The registry {host} does not have the image {image} ({said}): push it, or correct its name."
            )
        else:
            advice = f"The registry gives no digest for the image {image} ({said})."
        warnings.append(f"{advice} Each node uses what it finds under that name.")
        return None


def _set_platforms(spec: dict[str, Any], platforms: Any) -> None:
    if platforms:
        spec["TaskTemplate"].setdefault("Placement", {})["Platforms"] = copy.deepcopy(
            [
                {
                    "Architecture": item.get("architecture") or item.get("Architecture", ""),
                    "OS": item.get("os") or item.get("OS", ""),
                }
                for item in platforms
            ]
        )
