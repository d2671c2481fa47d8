"""Run the benchmarks: `python -m benchmarks [--pairs N]`."""

from __future__ import annotations

import argparse
import sys

from .launch import measure_launches, print_table


def main() -> int:
    """Run all benchmarks, each with its table on standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="pairs to measure (default: 5)")
    arguments = parser.parse_args()
    if arguments.pairs < 1:
        parser.error("--pairs must be 1 or more")
    print_table(measure_launches(arguments.pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
