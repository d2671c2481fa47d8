"""The figures as Markdown: on standard output, and between the marks of docs/scale.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.community import REPOSITORY

from .limits import LIMITS
from .model import MOST, Limit, Units, Use, breaks_at, hosts_for, order, share
from .settings import Settings, read_settings
from .simulate import Morning, Outcome, Way, simulate
from .sketches import Sketch, sketch
from .units import number

PAGE = REPOSITORY / "docs" / "scale.md"
SIZES = (100, 1000, 10_000)
_MARK = "<!-- {}: {} -->"


def tables(units: Units) -> dict[str, str]:
    """All tables, by the names of their marks."""
    return {
        "breaks": breaks_table(units),
        "limits": limits_table(units),
        "mornings": mornings_table(units),
        "units": units_table(units),
        "rows": rows_table(units),
        **{f"sketch-{size}": sketch_text(sketch(size)) for size in SIZES[:2]},
        "fits": fits_table(units),
    }


def write_page(found: dict[str, str], page: Path = PAGE) -> None:
    """Put each table between its marks; raises ValueError if the page lacks one."""
    text = page.read_text(encoding="utf-8")
    for name, table in found.items():
        text = _between(text, _MARK.format("begin", name), _MARK.format("end", name), table)
    page.write_text(text, encoding="utf-8")


def _between(text: str, begin: str, end: str, table: str) -> str:
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"docs/scale.md: there is no {begin} with {end} after it")
    return f"{before}{begin}\n{table}\n{end}{after}"


def defaults_for(notebooks: int) -> Settings:
    """The roles' defaults with as many nodes as so many notebooks need; nothing else is changed."""
    plain = read_settings()
    return read_settings(workers=hosts_for(notebooks, plain, Use()))


def breaks_table(units: Units) -> str:
    """What breaks at each size with the roles' defaults and enough nodes, the first to break first."""
    lines = ["| notebooks | what does not bear them, and from how many on |", "|---:|---|"]
    for size in SIZES:
        settings = defaults_for(size)
        broken = [
            f"{limit.name} ({_count(at)})"
            for limit, at in order(present(LIMITS), settings, units, Use())
            if at <= size
        ]
        lines.append(f"| {size:,} | {'; '.join(broken) or 'nothing'} |")
    return "\n".join(lines)


def limits_table(units: Units) -> str:
    """All limits with the roles' defaults: what each size takes of them, and where they end."""
    lines = [
        "| limit | there is | at 100 | at 1,000 | at 10,000 | ends at | then | known from |",
        "|---|---:|---:|---:|---:|---:|---|---|",
    ]
    for limit in LIMITS:
        taken = [f"{share(limit, size, defaults_for(size), units, Use()):.0%}" for size in SIZES]
        room = f"{number(limit.room(defaults_for(1000)))} {limit.unit}"
        at = _count(breaks_at(limit, defaults_for(1000), units, Use()))
        lines.append(
            f"| {limit.name} | {room} | {' | '.join(taken)} | {at} "
            f"| {limit.remedy} | {_source(limit.source)} |"
        )
    return "\n".join(lines)


def fits_table(units: Units) -> str:
    """What the sketches take of each limit, for one of their platforms."""
    made = [sketch(size) for size in SIZES]
    head = " | ".join(
        f"{one.notebooks:,}" + (f" ({one.platforms} platforms)" if one.platforms > 1 else "") for one in made
    )
    lines = [f"| limit | {head} |", "|---|---:|---:|---:|"]
    for limit in present(LIMITS):
        taken = " | ".join(f"{share(limit, one.each, one.settings, units, Use()):.0%}" for one in made)
        lines.append(f"| {limit.name} | {taken} |")
    return "\n".join(lines)


def mornings_table(units: Units) -> str:
    """What people wait on simulated mornings, with the roles' defaults and with the sketches."""
    lines = [
        "| morning | by | inventory | half, s | 19 of 20 | longest | failed | sent away | wait for |",
        "|---|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for size in SIZES:
        mornings = [
            Morning(f"a class of {size:,}, within a minute", size, 60),
            Morning(f"{size:,} people, within two hours", size, 7200),
        ]
        made = sketch(size)
        for morning in mornings:
            for way in ("hub", "console"):
                for name, settings, people in (
                    ("defaults", defaults_for(size), morning.people),
                    ("the sketch", made.settings, made.each),
                ):
                    seen = simulate(Morning(morning.name, people, morning.within), way, settings, units)
                    lines.append(_morning_row(morning.name, way, name, seen))
    return "\n".join(lines)


def _morning_row(name: str, way: Way, inventory: str, seen: Outcome) -> str:
    waits = " | ".join(f"{seen.quantile(each):,.0f}" for each in (0.5, 0.95, 1.0))
    return (
        f"| {name} | {way} | {inventory} | {waits} | {seen.failed:,} | {seen.sent_away:,} | {seen.busiest} |"
    )


def units_table(units: Units) -> str:
    """What was measured."""
    lines = ["| what | median | min to max | runs |", "|---|---:|---:|---:|"]
    for cost in units.values():
        spread = f"{number(cost.low)} to {number(cost.high)}" if cost.runs > 1 else ""
        lines.append(f"| {cost.how} | {number(cost.median)} {cost.unit} | {spread} | {cost.runs} |")
    return "\n".join(lines)


def rows_table(units: Units) -> str:
    """A year of installs and removals in the console's database, one of each for each notebook and day."""
    lines = [
        "| notebooks | rows a day | SQLite, a year | PostgreSQL, a year | run folders, 14 days |",
        "|---:|---:|---:|---:|---:|",
    ]
    events = units["events_per_install"].median
    tasks = 4.0
    for size in SIZES:
        each = {"commands": 2.0, "tasks": 2 * tasks, "events": 2 * events}
        rows = size * sum(each.values())
        years = [
            size * 365 * sum(count * units[f"{kind}_{table}"].median for table, count in each.items()) / 1e9
            for kind in ("sqlite", "postgresql")
        ]
        folders = size * 2 * 14 * units["run_folder"].median / 1e6
        room = " | ".join(f"{number(each)} GB" for each in (*years, folders))
        lines.append(f"| {size:,} | {rows:,.0f} | {room} |")
    return "\n".join(lines)


def sketch_text(made: Sketch) -> str:
    """The hosts.yml and what is set beside it, as a code block each; long rows of workers are shortened."""
    inventory = made.inventory()
    hosts, choices = (
        yaml.dump(each, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=100)
        for each in (inventory, made.choices)
    )
    return f"```yaml\n{_shortened(hosts)}```\n\n```yaml\n# group_vars/all/size.yml\n{choices}```"


class _Plain(yaml.SafeDumper):
    """Says twice what is there twice."""

    def ignore_aliases(self, data: object) -> bool:
        """No `&id001`."""
        return True


def _shortened(text: str) -> str:
    """Only the first and the last of many workers."""
    lines = text.splitlines(keepends=True)
    rows = [number for number, line in enumerate(lines) if re.match(r"\s+worker\d+: ", line)]
    if len(rows) <= 6:
        return text
    first = lines[rows[1]]
    rest = f"{first[: len(first) - len(first.lstrip(' '))]}# ... and so on\n"
    return "".join([*lines[: rows[1] + 1], rest, *lines[rows[-1] :]])


def present(limits: Sequence[Limit]) -> list[Limit]:
    """Those that hold today: the others are there to compare."""
    return [limit for limit in limits if "before" not in limit.name and "had the roles" not in limit.name]


def _count(notebooks: int) -> str:
    return "more than a million" if notebooks >= MOST else f"{notebooks:,}"


def _source(source: str) -> str:
    return f"[{source.split('/')[2]}]({source})" if source.startswith("https://") else source
