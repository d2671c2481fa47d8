"""The long form: `python -m tests.faults` kills over a hundred times and writes the table of docs/faults.md.

Three campaigns run side by side: a role that needs no engine on SQLite, the same on PostgreSQL and
Redis, and the notebook on an engine that is killed, on SQLite and then on PostgreSQL.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from .campaign import Campaign, Kill, Planned, resource_params
from .house import open_house, open_servers
from .judge import Look
from .notebook import find_orphans, look_at_swarm, notebook_params, open_node, open_notebook_house
from .report import problems, table, write_table

PHASES = ("install", "update", "remove")
PROCESSES = ("web", "worker", "starter", "run", "ansible-playbook")
SERVERS = ("postgresql", "redis")
_LANES = ("sqlite", "postgresql", "notebook")
#: Campaigns that come one after the other in the lane of each.
_PARTS = {"sqlite": 1, "postgresql": 1, "notebook, sqlite": 2, "notebook, postgresql": 2}


@dataclass
class Results:
    """What the campaigns have come to so far."""

    kills: list[Kill] = field(default_factory=list)
    ends: dict[str, Sequence[str]] = field(default_factory=dict)  # findings at the end of each
    orphans: list[float] = field(default_factory=list)  # seconds until both were listed
    refused: list[str] = field(default_factory=list)


def main() -> int:
    """Carry the campaigns out; 1 if anything was lost, doubled, left or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of what is random")
    parser.add_argument("--rounds", type=int, default=3, help="kills of each kind, phase and database")
    parser.add_argument("--minutes", type=float, default=math.inf, help="nothing is killed after that")
    parser.add_argument("--lanes", nargs="*", choices=_LANES, default=_LANES, help="campaigns to carry out")
    parser.add_argument("--no-table", action="store_true", help="print the table and leave docs/ alone")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    began, done = time.monotonic(), Results()
    lanes = {"sqlite": _lane_sqlite, "postgresql": _lane_postgresql, "notebook": _lane_notebook}
    with tempfile.TemporaryDirectory(prefix="labyard-faults-") as place, ThreadPoolExecutor() as pool:
        running = [
            pool.submit(lanes[name], Path(place), given.seed + number, given, done)
            for number, name in enumerate(given.lanes)
        ]
        broken = [f"{name}: {lane.exception()}" for name, lane in zip(given.lanes, running, strict=True)]
    found = [*problems(done.kills, done.ends), *done.refused]
    found += [text for text in broken if not text.endswith(": None")]
    sentences = _sentences(done, given.seed, time.monotonic() - began, found)
    print("\n".join([*table(done.kills), "", *sentences, *found]))
    if not given.no_table:
        write_table(done.kills, sentences)
    return 1 if found else 0


def _lane_sqlite(place: Path, seed: int, given: argparse.Namespace, done: Results) -> None:
    with open_house(place / "sqlite") as house:
        campaign = Campaign(house, seed, people=4, params=resource_params, overlap=3)
        _take(done, "sqlite", campaign, _plan(PROCESSES), given)


def _lane_postgresql(place: Path, seed: int, given: argparse.Namespace, done: Results) -> None:
    with open_servers() as servers, open_house(place / "postgresql", servers) as house:
        campaign = Campaign(house, seed, people=4, params=resource_params, overlap=3)
        _take(done, "postgresql", campaign, _plan((*PROCESSES, *SERVERS)), given)


def _lane_notebook(place: Path, seed: int, given: argparse.Namespace, done: Results) -> None:
    with open_node(place / "node") as nodes, ExitStack() as stack:
        look = partial(look_at_swarm, nodes)
        for number, servers in enumerate((None, stack.enter_context(open_servers()))):
            folder = place / f"notebook-{number}"
            with open_notebook_house(folder, nodes, servers) as house:
                campaign = Campaign(house, seed + number, 2, notebook_params, nodes, moment=5.0)
                _take(done, f"notebook, {house.database}", campaign, _plan(("dockerd",)), given, look)
                done.orphans.append(find_orphans(house, nodes))


def _plan(kinds: Sequence[str]) -> list[Planned]:
    return [Planned(kind, phase) for kind in kinds for phase in PHASES]


def _take(
    done: Results,
    name: str,
    campaign: Campaign,
    plan: Sequence[Planned],
    given: argparse.Namespace,
    look: Look | None = None,
) -> None:
    try:
        _, found = campaign.carry_out(plan, look, given.rounds, given.minutes * 60 / _PARTS[name])
        done.ends[name] = found.all()
        print(f"{name}: at the end {found.all() or 'all agrees'}", flush=True)
    finally:
        done.kills += campaign.settled
        done.refused += campaign.journal.refused


def _sentences(done: Results, seed: int, seconds: float, found: Sequence[str]) -> list[str]:
    orphans = ", ".join(f"{time:.0f}" for time in done.orphans) or "not looked for"
    return [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {seconds / 60:.0f} minutes, seed {seed}.",
        "At the end every deployment's row agreed with what stood there."
        if not any(done.ends.values())
        else f"At the end {sum(map(len, done.ends.values()))} things did not agree.",
        "",
        f"Orphans on either side were listed after (s, from the end of a kill of dockerd): {orphans}.",
        "",
        f"Problems: {len(found) or 'none'}.",
    ]


if __name__ == "__main__":
    sys.exit(main())
