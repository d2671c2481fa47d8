"""One way of exporting or importing, in a process of its own.

`python -m benchmarks.export_ways WAY COUNT FOLDER` prints seconds of the processor and peak memory (MB).
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import split_lines
from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import read_mapping
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_focus import write_focus
from ansible_collections.labyard.platform.plugins.module_utils._billing.import_costs import import_costs
from ansible_collections.labyard.platform.plugins.module_utils._billing.known_lines import open_known_lines
from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line, Step
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.modules.usage_export import argument_spec, run

USAGE, COSTS = "usage.jsonl", "costs.csv"
START = datetime(2026, 1, 1, tzinfo=UTC)
BAD_LINE = 500_000
_COLUMNS = ("datalab_id", "usage_date", "product", "usage_type", "usage", "cost", "resource_id", "tags")


def write_usage(path: Path, count: int) -> None:
    """So many records of an hour each: 1,000 deployments of 100 users in 20 projects, four resources."""
    resources = (
        ("wall", "second"),
        ("cpu", "core_second"),
        ("memory", "byte_second"),
        ("network_in", "byte"),
    )
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            thing, (resource_name, unit) = number // 4 % 1000, resources[number % 4]
            start = START + timedelta(hours=number // 4000)
            record = {
                "source": "swarm:bench",
                "key": str(number),
                "account": f"project:p{thing % 20}",
                "resource": resource_name,
                "unit": unit,
                "quantity": str(3600 + number % 7),
                "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
                "deployment": f"notebook-{thing:08x}",
                "deployment_name": f"demo-{thing}",
                "plan": "notebook",
                "shape": "small",
                "project": f"p{thing % 20}",
                "user": f"u{thing % 100}",
            }
            file.write(json.dumps(record) + "\n")


def write_costs(path: Path, count: int) -> None:
    """So many lines of a cost report, one of them bad: 1,000 resources on 28 days."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number in range(count):
            cost = "free" if number == BAD_LINE % count else f"{number % 1000 / 10000:.4f}"
            day = f"2026-01-{number % 28 + 1:02}"
            writer.writerow(("nb", day, "EC2", "Box", "1.5", cost, f"i-{number % 1000}", f"line {number}"))


def export(form: str, folder: Path, **options: Any) -> None:
    """The module, from its options on."""
    defaults = {name: option.get("default") for name, option in argument_spec().items()}
    given = {
        "format": form,
        "dest": str(folder / f"export-{form}"),
        "usage": [str(folder / USAGE)],
        **options,
    }
    assert run({**defaults, **given}, False)["changed"]


def make_invoices(count: int) -> Iterator[Invoice]:
    """So many lines on invoices of 1,000 lines."""
    line = Line(
        **{"deployment": "d", "deployment_name": "demo", "plan": "notebook", "shape": "small"},
        **{"project": "p", "user": "u", "resource": "cpu", "description": "demo: Processor"},
        **{"price_name": "Processor", "model": "unit", "tariff": "standard", "unit": "core_hour"},
        tariff_version=START,
        quantity=Decimal("2.5"),
        unit_price=Decimal("0.04"),
        amount=Decimal("0.10"),
        start=START,
        end=START + timedelta(days=1),
        records=1,
        steps=(Step(Decimal("2.5"), Decimal("0.04"), Decimal(0), Decimal("0.1")),),
        exact=Fraction(1, 10),
    )
    for number in range(count // 1000):
        total = Decimal("100.00")
        yield Invoice(
            kind="invoice",
            currency="EUR",
            period=read_period("2026-01"),
            tariff="standard",
            customer=Party(f"Customer {number}", f"user:u{number}"),
            supplier=Party("Computing Centre"),
            lines=(line,) * 1000,
            subtotal=total,
            net=total,
            total=total,
            number=f"CC-{number:06d}",
            issued=date(2026, 2, 1),
        )


def export_focus(folder: Path, count: int) -> None:
    """FOCUS, from documents in memory."""
    with (folder / "export-focus").open("w", encoding="utf-8") as file:
        file.writelines(write_focus(make_invoices(count)))


def copy_csv(folder: Path, count: int) -> None:
    """The floor of FOCUS: as many rows of as many cells, written by Python's csv module."""
    with (folder / "floor.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([f"cell {number % 40}"] * 40 for number in range(count))


def copy_jsonl(folder: Path) -> None:
    """The floor of usage: each line read and written by Python's json module, nothing looked at."""
    with (folder / USAGE).open("rb") as lines, (folder / "floor.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(json.loads(line)) + "\n")


def sum_costs(folder: Path) -> None:
    """The floor of the import: costs of each resource and day summed up, nothing checked or remembered."""
    sums: dict[tuple[str, str], Decimal] = {}
    with (folder / COSTS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["usage_date"], row["resource_id"])
            cost = row["cost"]
            sums[key] = sums.get(key, Decimal(0)) + Decimal("0" if cost == "free" else cost)


def import_report(folder: Path, count: int) -> None:
    """The import; the same file again adds nothing."""
    path = folder / "known"
    with (folder / COSTS).open("rb") as file, open_known_lines(path) as known:
        found = import_costs(split_lines(file), read_mapping({"currency": "USD"}), known)
    assert (found.taken, found.known) in ((count - 1, 0), (0, count - 1))
    assert [number for number, _ in found.reasons] == [BAD_LINE % count + 2]


def peak_memory() -> float:
    """MB. What getrusage says has the memory of the parent process in it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def main() -> None:
    """Measure the way that is named."""
    way, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    site = {"site": "BENCH", "groups": {"p1": "/vo/p1"}}
    ways: dict[str, Callable[[], None]] = {
        "usage": lambda: write_usage(folder / USAGE, count),
        "costs": lambda: write_costs(folder / COSTS, count),
        "floor-usage": lambda: copy_jsonl(folder),
        "csv": lambda: export("csv", folder),
        "jsonl": lambda: export("jsonl", folder),
        "apel": lambda: export("apel", folder, to="2026-02-01T00:00:00Z", **site),
        "eosc": lambda: export("eosc", folder, to="2026-02-01T00:00:00Z", metrics={"notebook": "m"}),
        "floor-focus": lambda: copy_csv(folder, count),
        "focus": lambda: export_focus(folder, count),
        "floor-import": lambda: sum_costs(folder),
        "import": lambda: import_report(folder, count),
        "import-again": lambda: import_report(folder, count),
    }
    begun = time.process_time()
    ways[way]()
    print(json.dumps({"seconds": time.process_time() - begun, "memory": peak_memory()}))


if __name__ == "__main__":
    main()
