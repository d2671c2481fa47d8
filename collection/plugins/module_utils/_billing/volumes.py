# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: their size at one look counts until the next. Pure."""

from __future__ import annotations

from .beats import Beats, OpenVolume
from .looks import Look, VolumeSeen
from .moments import DAY, pieces
from .policies import Policies
from .writing import Writer


def meter_volumes(look: Look, beats: Beats, policies: Policies, writer: Writer) -> None:
    """Bill the volumes that were seen, and close those that are no more.

    A volume of a node that nobody looked at stays open, as does one in a shared store that no node names;
    after a day, and after the silence of its plan, it is closed at its last beat.
    """
    if look.volumes is None:
        return
    seen = {volume.id: volume for volume in look.volumes}
    for volume in seen.values():
        _seen(look, beats, writer, volume)
    for key in [key for key in beats.volumes if key not in seen]:
        volume_open = beats.volumes[key]
        node = key.partition("/")[0]
        patience = max(policies.of(volume_open.names.plan).patience, DAY)
        if node in look.volume_nodes or look.at - volume_open.beat > patience:
            _write(writer, key, volume_open)
            del beats.volumes[key]


def _seen(look: Look, beats: Beats, writer: Writer, volume: VolumeSeen) -> None:
    found = beats.volumes.get(volume.id)
    if found is not None and volume.created > found.beat:
        _write(writer, volume.id, found)  # it was removed, and made again with the same name
        found = None
    if found is None:
        # How large it was before nobody knows, so it counts from now on.
        start = max(look.at, beats.floor, beats.until or 0)
        beats.volumes[volume.id] = OpenVolume(start, start, volume.names, volume.size)
        return
    for start, end in pieces(found.beat, look.at, writer.cut):
        found.held += found.size * (end - start)
        found.beat = end
        if not end % writer.cut:
            _write(writer, volume.id, found)
    found.size, found.names = volume.size, volume.names


def _write(writer: Writer, key: str, volume: OpenVolume) -> None:
    writer.add(key, "volume", volume.names, volume.held, volume.billed, volume.beat)
    volume.billed, volume.held = volume.beat, 0
