# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which snapshots stay. What restic decides by counting, it decides; what has ended, is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from .errors import BackupError
from .restic import OWN_TAG, Restic, Snapshot
from .saving import KEPT
from .settings import Keep

_COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def keep_arguments(keep: Keep) -> list[str]:
    """Options for `restic forget`; raises BackupError if they would leave nothing."""
    chosen = {name: getattr(keep, name) for name in _COUNTS}
    if any(count < 0 for count in chosen.values()) or not any(chosen.values()):
        raise BackupError("backup_keep: keep at least one snapshot, for example {daily: 7}.")
    return [f"--keep-{name}={count}" for name, count in chosen.items() if count]


def gone(snapshots: Iterable[Snapshot], now: datetime, days: int) -> list[str]:
    """Ids of the snapshots of parts of which nothing was saved for `days` days; none if `days` is 0.

    Restic keeps the last seven days *on which something was saved*: for a volume that was deleted, for ever.
    """
    parts: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        parts.setdefault(snapshot.part, []).append(snapshot)
    limit = now - timedelta(days=days)
    ended = [
        all_of_it
        for part, all_of_it in parts.items()
        if days and not part.startswith(KEPT) and max(s.time for s in all_of_it) < limit
    ]
    return [s.id for part in ended for s in part]


def forget_old(restic: Restic, keep: Keep, now: datetime) -> int:
    """Forget what need not be kept, and take its data out of the repository; how many snapshots went."""
    before = len(restic.snapshots())
    # By the part alone: a volume that moved to another node goes on being one part.
    restic.run("forget", "--tag", OWN_TAG, "--group-by", "tags", *keep_arguments(keep))
    ended = gone(restic.snapshots(), now, keep.gone_days)
    if ended:
        restic.run("forget", *ended)
    restic.run("prune")
    return before - len(restic.snapshots())


def forget_part(restic: Restic, part: str) -> int:
    """Forget all of one part, for somebody who wants their data deleted; how many snapshots went."""
    found = [s.id for s in restic.snapshots(part)]
    if found:
        restic.run("forget", *found)
        restic.run("prune")
    return len(found)
