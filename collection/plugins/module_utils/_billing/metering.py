# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From looks at a swarm to usage records, each second once. Pure.

A task is billed from when the Engine says that it began to run until when it says that it ended, in half-open
intervals that are cut at borders which do not depend on when somebody looked. So the same records come out
of whatever looks there were: a look that is repeated, or whose outcome was lost, gives what is known already,
under the same keys. What has not reached a border is kept in the beats until it does, or the task ends.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

from .beats import Beats, Closed, OpenTask
from .errors import UsageError
from .looks import ENDED, GONE, RUNNING, Look, TaskSeen
from .moments import DAY
from .policies import Policies, Policy
from .tallies import close_tally, count_sample
from .usage import UsageRecord
from .volumes import meter_volumes
from .writing import Writer, write_task

_KEEP_CLOSED = DAY  # ms for which a task that is no longer listed is remembered
_AHEAD = 60_000  # ms by which the clock of a node may be ahead


@dataclass(frozen=True)
class Metered:
    """What a look gave."""

    records: list[UsageRecord]
    beats: Beats
    notes: list[str] = field(default_factory=list)  # sentences for people


def meter(
    look: Look,
    beats: Beats,
    *,
    selection: str = "",
    reselect: bool = False,
    policies: Policies | None = None,
    cut: int = 3600,
    since: int | None = None,
) -> Metered:
    """The records that are due at `look`, and the beats for the next one; `beats` stay as they are.

    `cut`: seconds between the borders of records; divides a day. `since`: ms before which nothing is
    billed, heeded at the first look. `reselect`: beats of another selection go on, and what it did not have
    counts from the last look. Raises UsageError if they are of another swarm, or may not go on.
    """
    if cut < 1 or DAY % (cut * 1000):
        raise UsageError(f"cut: {cut} s do not divide a day; take 300, 3600 or 86400")
    _check_same(look, beats, selection if not reselect else beats.selection)
    is_first = beats.until is None
    after = deepcopy(beats)
    if beats.until is not None and beats.selection != selection:
        after.floor = max(after.floor, beats.until)
    after.source, after.selection = look.source, selection
    if is_first:
        after.floor = since or 0
    work = _Meter(look, after, policies or Policies(), Writer(look.source, cut * 1000), beats.until)
    work.run(bill_past=not is_first or since is not None)
    notes = list(look.notes)
    if beats.until is not None and look.at < beats.until:
        gone = (beats.until - look.at) / 1000
        notes.append(f"The Engine's clock went back by {gone:.0f} s: nothing is billed twice.")
    after.until = max(look.at, beats.until or 0)
    return Metered(work.writer.records, after, notes)


def accrued(beats: Beats, cut: int = 3600) -> list[UsageRecord]:
    """What the beats hold that no record has yet: for forecasts and budgets, never to be taken in."""
    writer = Writer(beats.source, cut * 1000)
    copy = deepcopy(beats)
    for key, task in sorted(copy.tasks.items()):
        write_task(writer, key, task, task.beat)
        close_tally(writer, key, task)
    for key, volume in sorted(copy.volumes.items()):
        writer.add(key, "volume", volume.names, volume.held, volume.billed, volume.beat)
    return writer.records


def _check_same(look: Look, beats: Beats, selection: str) -> None:
    if beats.until is None:
        return
    if beats.source != look.source:
        raise UsageError(f"beats: are those of {beats.source}, and this is {look.source}; give each its own")
    if beats.selection != selection:
        raise UsageError(
            "beats: were made with another selection of labels, stacks and deployments; keep the selection, "
            "or say new_selection: go_on"
        )


@dataclass
class _Meter:
    """One look, being worked on; `beats` become those for the next."""

    look: Look
    beats: Beats
    policies: Policies
    writer: Writer
    last: int | None  # ms; the look before

    def run(self, *, bill_past: bool) -> None:
        """See to all tasks and volumes. `bill_past`: tasks that ended unseen count."""
        for task in self.look.tasks:
            policy = self.policies.of(task.names.plan)
            if task.state == RUNNING:
                self._running(task, policy)
            elif task.state in ENDED or task.state in GONE:
                self._ended(task, policy, bill_past)
        listed = {task.id for task in self.look.tasks}
        for key in [key for key in self.beats.tasks if key not in listed]:
            self._vanished(key, self.beats.tasks[key])
        meter_volumes(self.look, self.beats, self.policies, self.writer)
        self._forget(listed)

    def _running(self, task: TaskSeen, policy: Policy) -> None:
        open_task, closed = self.beats.tasks.get(task.id), self.beats.closed.get(task.id)
        if not task.node_up and policy.node_away == "last_beat":
            if open_task is not None:
                open_task.away = True
                if self.look.at - open_task.beat > policy.patience:
                    self._close(task.id, open_task, open_task.beat, silent=True)
            return
        if open_task is not None and self.look.at - open_task.beat > policy.patience:
            away = open_task.away and policy.node_away == "last_beat"
            if away or policy.running_after_silence == "skip":
                self._close(task.id, open_task, open_task.beat, silent=True)
                open_task, closed = None, self.beats.closed[task.id]
        if open_task is None:
            start = max(task.since, self.beats.floor)
            if closed is not None:
                start = max(start, self.look.at if closed.silent else closed.billed)
                del self.beats.closed[task.id]
            open_task = OpenTask(start, start, task.names, dict(task.rates), task.since)
            self.beats.tasks[task.id] = open_task
        open_task.beat, open_task.away = max(open_task.beat, self.look.at), False
        write_task(self.writer, task.id, open_task, open_task.beat, whole=True)
        count_sample(self.writer, task.id, open_task, self.look.samples.get(task.id), self.last)
        open_task.names = task.names

    def _ended(self, task: TaskSeen, policy: Policy, bill_past: bool) -> None:
        open_task = self.beats.tasks.get(task.id)
        if open_task is not None:
            self._close(task.id, open_task, self._end_of(task, open_task, policy))
        elif task.id not in self.beats.closed:
            start, end = self._unseen(task, policy) if bill_past else (0, 0)
            passed = OpenTask(start, start, task.names, dict(task.rates), start)
            self._close(task.id, passed, end)

    def _end_of(self, task: TaskSeen, open_task: OpenTask, policy: Policy) -> int:
        """When a task that was seen running ended, in ms."""
        died = self._died(task.id)
        end = task.since if task.state in ENDED else died
        if open_task.away or end is None:
            # A node that comes back says that its tasks ended when it came back.
            return open_task.beat
        if end - open_task.beat > policy.patience and policy.ended_in_silence == "last_beat":
            return open_task.beat if died is None else died
        return end

    def _unseen(self, task: TaskSeen, policy: Policy) -> tuple[int, int]:
        """When a task began and ended that nobody saw running, in ms; the same twice if it is not known."""
        container = self.look.containers.get(task.id)
        end = task.since if task.state in ENDED else self._died(task.id)
        start = None
        if container is not None and container.ran:
            start = container.created if container.started is None else container.started
        elif container is None and policy.unseen == "created" and task.state in ENDED:
            start = task.created
        if start is None or end is None:
            return 0, 0
        return max(start, self.beats.floor), end

    def _vanished(self, key: str, open_task: OpenTask) -> None:
        """The swarm forgot the task: a node may know its end, otherwise the last beat is one."""
        died = self._died(key)
        self._close(key, open_task, open_task.beat if died is None or open_task.away else died)

    def _died(self, key: str) -> int | None:
        container = self.look.containers.get(key)
        return None if container is None else container.died

    def _close(self, key: str, open_task: OpenTask, end: int, *, silent: bool = False) -> None:
        """Bill the task until `end`, never beyond the look, and remember it as long as it is listed."""
        end = min(end, max(self.look.at + _AHEAD, open_task.beat))
        count_sample(self.writer, key, open_task, self.look.samples.get(key), self.last)
        write_task(self.writer, key, open_task, end)
        close_tally(self.writer, key, open_task)
        self.beats.tasks.pop(key, None)
        self.beats.closed[key] = Closed(open_task.billed, self.look.at, silent)

    def _forget(self, listed: set[str]) -> None:
        for key, closed in list(self.beats.closed.items()):
            if key in listed:
                closed.seen = self.look.at
            elif self.look.at - closed.seen > _KEEP_CLOSED:
                del self.beats.closed[key]
