# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which image a service gets: the reference as given, with a digest, or the one that runs."""

from __future__ import annotations

import copy
from typing import Any, Protocol

from .desired import IMAGE, DesiredStack
from .errors import EngineError
from .image import with_digest
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
        from that of the live service; ``never`` not at all. Where the registry gives no answer, and for an
        image that only this engine has, the reference stays as given.
    """
    warnings: list[str] = []
    answers: dict[str, dict[str, Any] | None] = {}
    for name, spec in desired.services.items():
        container = spec["TaskTemplate"]["ContainerSpec"]
        given = container["Image"]
        existing = live.services.get(name, {}).get("Spec", {})
        unchanged = (existing.get("Labels") or {}).get(IMAGE) == spec["Labels"][IMAGE]
        if unchanged and resolve != "always":
            running = existing["TaskTemplate"]
            container["Image"] = running["ContainerSpec"]["Image"]
            _set_platforms(spec, (running.get("Placement") or {}).get("Platforms"))
            continue
        if resolve == "never" or "@" in given:
            continue
        if given not in answers:
            answers[given] = _ask(given, source, warnings)
        answer = answers[given]
        if answer:
            container["Image"] = with_digest(given, answer["Descriptor"]["digest"])
            _set_platforms(spec, answer.get("Platforms"))
    return warnings


def _ask(image: str, source: ImageSource, warnings: list[str]) -> dict[str, Any] | None:
    if source.is_local_only(image):
        return None
    try:
        return source.distribution(image)
    except EngineError as error:
        warnings.append(
            f"The registry gives no digest for the image {image}, so each node uses what it finds "
            f"under that name ({' '.join(str(error).split())})."
        )
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
