# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks have used, by the figures that looks found in between. Pure.

Of CPU and network the Engine counts the sum, of memory it tells what is held at the moment: that counts until
the next look. What a task used after its last look is not known and not billed.
"""

from __future__ import annotations

from .beats import COUNTED, OpenTask, Tally
from .looks import Sample
from .moments import next_border
from .writing import Writer


def count_sample(writer: Writer, key: str, task: OpenTask, sample: Sample | None, last: int | None) -> None:
    """Count what was used since the sample before, and write records up to the last border.

    `last`: the look before, in ms. Of a task that began after it everything counts; of another that was
    never sampled, what it uses from now on.
    """
    if sample is None:
        return
    figures = _figures(sample)
    tally = task.tally
    if tally is None:
        is_new = last is not None and last <= task.since < sample.at
        start = task.since if is_new else sample.at
        nothing = dict.fromkeys(COUNTED, 0)
        before = {**nothing, "memory_used": sample.memory} if is_new else figures
        tally = task.tally = Tally(start, start, nothing, before)
    if sample.at <= tally.until:
        return
    length = sample.at - tally.until
    amounts = {name: _used(name, figures[name], tally.last[name], length) for name in COUNTED}
    while next_border(tally.start, writer.cut) <= sample.at:
        border = next_border(tally.start, writer.cut)
        for name, amount in amounts.items():
            # A sum that spans a border is split by time.
            part = amount * (border - tally.until) // (sample.at - tally.until)
            amounts[name] = amount - part
            writer.add(key, name, task.names, tally.sums[name] + part, tally.start, border)
            tally.sums[name] = 0
        tally.start = tally.until = border
    for name, amount in amounts.items():
        tally.sums[name] += amount
    tally.until, tally.last = sample.at, figures


def close_tally(writer: Writer, key: str, task: OpenTask) -> None:
    """Write what was counted; the task has ended."""
    tally = task.tally
    if tally is None:
        return
    for name, total in tally.sums.items():
        writer.add(key, name, task.names, total, tally.start, tally.until)
    task.tally = None


def _figures(sample: Sample) -> dict[str, int]:
    return {
        "cpu_used": sample.cpu,
        "memory_used": sample.memory,
        "network_in": sample.received,
        "network_out": sample.sent,
    }


def _used(name: str, now: int, before: int, length: int) -> int:
    """What was used in `length` ms; a counter that is lower than before has begun again."""
    if not COUNTED[name]:
        return before * length
    return now - before if now >= before else now
