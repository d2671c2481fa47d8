# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the meter remembers from one look to the next: open intervals, each with its last beat. Pure.

It is a JSON document, so that a file or a table can keep it. All moments are ms since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import UsageError
from .owners import Names

VERSION = 1
#: Resources that are counted at each look, with whether the figure is a counter or an amount held.
COUNTED = {"cpu_used": True, "memory_used": False, "network_in": True, "network_out": True}


@dataclass
class Tally:
    """What looks have counted of a task since `start`, and not put into a record yet."""

    start: int  # ms; until here records were made
    until: int  # ms; the last sample
    sums: dict[str, int]  # by resource, since `start`; of memory in byte-milliseconds
    last: dict[str, int]  # by resource, what the last sample said


@dataclass
class OpenTask:
    """A task that runs as far as is known."""

    billed: int  # ms; until here records were made
    beat: int  # ms; it is proved to have run until here
    names: Names
    rates: dict[str, int]
    since: int = 0  # ms; when the Engine says that it began to run
    away: bool = False  # its node has not answered since the last beat
    tally: Tally | None = None


@dataclass
class OpenVolume:
    """A volume that is there."""

    billed: int
    beat: int
    names: Names
    size: int  # bytes, at the last beat
    held: int = 0  # byte-milliseconds from `billed` to `beat`


@dataclass
class Closed:
    """A task that is not to be billed again before `billed`."""

    billed: int
    seen: int  # ms; when it was looked at last
    silent: bool = False  # it was given up as nobody heard of it


@dataclass
class Beats:
    """All that is remembered. `until` is None before the first look."""

    source: str = ""
    selection: str = ""
    until: int | None = None  # ms; the latest look
    floor: int = 0  # ms; nothing before is billed
    tasks: dict[str, OpenTask] = field(default_factory=dict)
    volumes: dict[str, OpenVolume] = field(default_factory=dict)
    closed: dict[str, Closed] = field(default_factory=dict)


def show_beats(beats: Beats) -> dict[str, Any]:
    """The beats as JSON has them; `read_beats` reads them back to the same."""
    return {
        "version": VERSION,
        "source": beats.source,
        "selection": beats.selection,
        "until": beats.until,
        "floor": beats.floor,
        "tasks": {key: asdict(task) for key, task in sorted(beats.tasks.items())},
        "volumes": {key: asdict(volume) for key, volume in sorted(beats.volumes.items())},
        "closed": {key: asdict(closed) for key, closed in sorted(beats.closed.items())},
    }


def read_beats(document: Mapping[str, Any] | None) -> Beats:
    """The beats from JSON; of nothing, those before the first look. Raises UsageError."""
    if not document:
        return Beats()
    if not isinstance(document, Mapping) or document.get("version") != VERSION:
        raise UsageError(
            f"beats: are not what usage_info {VERSION} returned as beats; give those, or none to begin anew"
        )
    try:
        return Beats(
            source=str(document["source"]),
            selection=str(document["selection"]),
            until=None if document["until"] is None else int(document["until"]),
            floor=int(document["floor"]),
            tasks={key: _read_task(about) for key, about in document["tasks"].items()},
            volumes={key: _read_volume(about) for key, about in document["volumes"].items()},
            closed={key: Closed(**about) for key, about in document["closed"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"beats: are damaged ({error!r}); give those of an earlier look") from error


def _read_task(about: Mapping[str, Any]) -> OpenTask:
    given = {**about, "names": Names(**about["names"])}
    if given.get("tally"):
        given["tally"] = Tally(**given["tally"])
    return OpenTask(**given)


def _read_volume(about: Mapping[str, Any]) -> OpenVolume:
    return OpenVolume(**{**about, "names": Names(**about["names"])})
