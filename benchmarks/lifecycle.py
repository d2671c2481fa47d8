"""How much longer a command takes by way of the console than a bare ansible-playbook of the same play.

no-op:      an install whose role hands over a result and does nothing else.
            console: from the POST to the answer that says COMPLETED, looked at every 20 ms.
            bare:    `ansible-playbook playbooks/service.yml` with the same request, from start to end.
200 tasks:  the same with 200 tasks that do nothing.
            console: from the POST to the time at which the command was COMPLETED, as it says itself. It
                     is looked at twice a second: the looking is not to weigh on two cores.
30 at once: 30 no-op installs with two at a time.
            console: from the first POST to the time at which the last command was COMPLETED.
            bare:    `xargs -P 2` over 30 request files.

Each pair is measured one after the other in one run; who goes first changes from pair to pair.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .lifecycle_console import CONCURRENCY, Bench, started_bench

_LOOK_EVERY = 0.02  # seconds between two looks at a command whose end the client is to see
_LOOK_RARELY = 0.5  # seconds, where the command says when it ended
_LONGEST = 300.0  # seconds for one measurement
_AT_ONCE = 30
_WANTED = {
    "no-op play": "at most 1.3",
    "200 tasks": "at most 1.2",
    "30 at once": "at least 0.9 (of the rate)",
}


@dataclass(frozen=True)
class Way:
    """One measurement: seconds, and seconds of CPU time of all processes."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Pair:
    """The same work both ways."""

    console: Way
    bare: Way

    @property
    def ratio(self) -> float:
        """How many times as long the console took."""
        return self.console.seconds / self.bare.seconds


def measure_lifecycle(pairs: int) -> None:
    """Measure `pairs` pairs of each kind (of 30 at once: half as many) and print the tables."""
    with started_bench() as bench:
        for plan in ("noop", "tasks"):
            _by_console(bench, plan)  # unmeasured: it warms what can be warm
            _by_bare(bench, plan)
        kinds = {
            "no-op play": [_pair(bench, i, _by_console, _by_bare, "noop") for i in range(2 * pairs)],
            "200 tasks": [_pair(bench, i, _long_by_console, _by_bare, "tasks") for i in range(pairs)],
            "30 at once": [_pair(bench, i, _many_by_console, _many_by_bare) for i in range((pairs + 1) // 2)],
        }
    for kind, measured in kinds.items():
        _print_table(kind, measured)


def _pair(
    bench: Bench, number: int, console: Callable[..., Way], bare: Callable[..., Way], *arguments: str
) -> Pair:
    if number % 2:
        second = bare(bench, *arguments)
        return Pair(console(bench, *arguments), second)
    first = console(bench, *arguments)
    return Pair(first, bare(bench, *arguments))


_names = (f"bench-{number}" for number in range(10**6))


def _by_console(bench: Bench, plan: str) -> Way:
    before, begun = bench.cpu_seconds(), time.monotonic()
    command = _ended(bench, _issue(bench, plan), begun, _LOOK_EVERY)
    seconds = time.monotonic() - begun
    assert command["state"] == 5, command["message"]
    return Way(seconds, bench.cpu_seconds() - before)


def _long_by_console(bench: Bench, plan: str) -> Way:
    before, begun, at = bench.cpu_seconds(), time.monotonic(), datetime.now(UTC)
    return Way(_seconds_until_ended(bench, [_issue(bench, plan)], begun, at), bench.cpu_seconds() - before)


def _issue(bench: Bench, plan: str) -> str:
    command: dict[str, Any] = bench.console.issue(plan=plan, phase="install", name=next(_names), params={})
    return str(command["id"])


def _by_bare(bench: Bench, plan: str) -> Way:
    request = bench.write_request(plan, next(_names))
    return _timed(bench, bench.bare_command(str(request)))


def _many_by_console(bench: Bench) -> Way:
    before, begun, at = bench.cpu_seconds(), time.monotonic(), datetime.now(UTC)
    issued = [_issue(bench, "noop") for _ in range(_AT_ONCE)]
    return Way(_seconds_until_ended(bench, issued, begun, at), bench.cpu_seconds() - before)


def _seconds_until_ended(bench: Bench, command_ids: list[str], begun: float, at: datetime) -> float:
    """From `at` (`begun` on the monotonic clock) to the time at which the last command was COMPLETED."""
    ended = [_ended(bench, command_id, begun, _LOOK_RARELY) for command_id in command_ids]
    assert all(command["state"] == 5 for command in ended), ended
    return (max(datetime.fromisoformat(command["finished_at"]) for command in ended) - at).total_seconds()


def _ended(bench: Bench, command_id: str, begun: float, look_every: float) -> dict[str, Any]:
    while True:
        command: dict[str, Any] = bench.console.call("GET", f"commands/{command_id}").json()
        if command["state"] in (5, 9):
            return command
        assert time.monotonic() - begun < _LONGEST, command
        time.sleep(look_every)


def _many_by_bare(bench: Bench) -> Way:
    files = [str(bench.write_request("noop", next(_names))) for _ in range(_AT_ONCE)]
    listing = bench.folder / "requests.txt"
    listing.write_text("\n".join(files), encoding="utf-8")
    one = bench.bare_command("{}")
    return _timed(bench, ["xargs", "-a", str(listing), "-P", str(CONCURRENCY), "-I", "{}", *one])


def _timed(bench: Bench, command: list[str]) -> Way:
    before, begun = _children(), time.monotonic()
    subprocess.run(
        command,
        env=bench.environment,
        cwd=bench.folder,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=_LONGEST,
    )
    return Way(time.monotonic() - begun, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _print_table(kind: str, pairs: list[Pair]) -> None:
    print(f"\n{kind}: console against bare ansible-playbook; wanted: {_WANTED[kind]}\n")
    print("| | console | bare | ratio |")
    print("|---|---:|---:|---:|")
    if kind == "30 at once":
        rates = [[60 * _AT_ONCE / way.seconds for way in (p.console, p.bare)] for p in pairs]
        _print_rows("commands a minute", [(a, b, a / b) for a, b in rates], 1)
        each = [(p.console.cpu / _AT_ONCE, p.bare.cpu / _AT_ONCE, p.console.cpu / p.bare.cpu) for p in pairs]
        _print_rows("CPU, s a command", each, 2)
        return
    _print_rows("seconds", [(p.console.seconds, p.bare.seconds, p.ratio) for p in pairs], 2)
    _print_rows("CPU, s", [(p.console.cpu, p.bare.cpu, p.console.cpu / p.bare.cpu) for p in pairs], 2)


def _print_rows(what: str, rows: list[tuple[float, float, float]], digits: int) -> None:
    """Medians, then minimum to maximum, of two columns and of the ratios of each pair."""
    columns = list(zip(*rows, strict=True))
    places = (digits, digits, 2)
    medians = [f"{statistics.median(c):.{n}f}" for c, n in zip(columns, places, strict=True)]
    spreads = [f"{min(c):.{n}f} to {max(c):.{n}f}" for c, n in zip(columns, places, strict=True)]
    print(f"| {what}, median of {len(rows)} | {' | '.join(medians)} |")
    print(f"| min to max | {' | '.join(spreads)} |")
