# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room images need and folders have. Bytes throughout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .engine import LocalImage


def free_bytes(folder: Path) -> int:
    """What a user may still write to the file system of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def bytes_for(images: Sequence[LocalImage], there: Sequence[LocalImage]) -> int:
    """At most how much `images` take where `there` is already: layers that they share count once.

    Registries compress, so it is less in the end.
    """
    counted, total = list(there), 0
    for image in sorted(images, key=lambda each: len(each.layers)):
        below = [known.size for known in counted if _is_below(known, image)]
        total += max(0, image.size - max(below, default=0))
        counted.append(image)
    return total


def in_gib(size: int) -> str:
    """A size for people."""
    return f"{size / 2**30:.1f} GiB"


def _is_below(known: LocalImage, image: LocalImage) -> bool:
    return image.layers[: len(known.layers)] == known.layers
