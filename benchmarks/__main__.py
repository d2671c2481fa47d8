"""Run the benchmarks: `python -m benchmarks [NAME ...] [--pairs N] [--rounds N] [--slow] [--measure]`."""

from __future__ import annotations

import argparse
import sys

from .api_lists import measure_lists
from .billing import measure_billing
from .exports import measure_exports
from .hubs import measure_hubs
from .launch import measure_launches, print_table
from .lifecycle import measure_lifecycle
from .scale.run import measure_units, print_scale
from .stacks import measure_stacks

_ALL = ("billing", "exports", "hubs", "launch", "lifecycle", "lists", "scale", "stacks")


def main() -> int:
    """Run all benchmarks, or those named, each with its tables on standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(_ALL)} (default: all)")
    parser.add_argument("--pairs", type=int, default=5, help="launch, lifecycle: pairs (default: 5)")
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="exports: records and lines (default: 1000000)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="stacks: rounds to measure (default: 5)")
    parser.add_argument(
        "--slow",
        action="store_true",
        help="stacks: 20 services with the command line too, over 100 s a round",
    )
    parser.add_argument(
        "--at-once",
        type=int,
        nargs="+",
        default=[1, 10],
        metavar="N",
        help="hubs: notebooks that are asked for at the same moment (default: 1 10)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="scale: measure unit costs anew before the sums (minutes)",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="scale: write the tables into docs/scale.md, instead of printing them",
    )
    arguments = parser.parse_args()
    if arguments.pairs < 1 or arguments.rounds < 1:
        parser.error("--pairs and --rounds must be 1 or more")
    unknown = set(arguments.names) - set(_ALL)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(_ALL)}")
    _measure(arguments.names or list(_ALL), arguments)
    return 0


def _measure(names: list[str], arguments: argparse.Namespace) -> None:
    if "billing" in names:
        measure_billing()
    if "exports" in names:
        measure_exports(arguments.records)
    if "hubs" in names:
        measure_hubs(arguments.at_once)
    if "launch" in names:
        print_table(measure_launches(arguments.pairs))
    if "lifecycle" in names:
        measure_lifecycle(arguments.pairs)
    if "lists" in names:
        measure_lists()
    if "scale" in names:
        if arguments.measure:
            measure_units()
        print_scale(write=arguments.write)
    if "stacks" in names:
        measure_stacks(arguments.rounds, arguments.slow)


if __name__ == "__main__":
    sys.exit(main())
