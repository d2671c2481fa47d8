"""The exports of the examples, by the name of their golden file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from ansible_collections.labyard.platform.plugins.module_utils._billing.charges import Charge, list_charges
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_apel import (
    ApelSite,
    write_apel,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_csv import (
    write_charges_csv,
    write_usage_csv,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_dlab import (
    DlabPeriod,
    write_dlab,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_eosc import (
    EoscNames,
    write_eosc,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_focus import write_focus
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_jsonl import (
    write_charges_jsonl,
    write_usage_jsonl,
)
from tests.unit.billing.examples import make_invoices, notebook_records

UNTIL = datetime(2026, 1, 12, tzinfo=UTC)
SITE = ApelSite(
    "EXAMPLE-SITE", "cloud-1", groups={"physics": "/vo.example.org/physics"}, users={"ada": "ada@id"}
)
NAMES = EoscNames(
    {"notebook/small": "668bdd5988e1d617b217ecb9"}, {"ada": "ada@id"}, {"physics": "vo-physics"}
)
JANUARY = DlabPeriod("lab", date(2026, 1, 1), date(2026, 1, 31))


def example_charges() -> Iterator[Charge]:
    """The charges of all example documents."""
    for invoice in make_invoices():
        yield from list_charges(invoice)


EXPORTS: dict[str, Callable[[], Iterator[str]]] = {
    "usage.csv": lambda: write_usage_csv(notebook_records()),
    "usage.jsonl": lambda: write_usage_jsonl(notebook_records()),
    "charges.csv": lambda: write_charges_csv(example_charges()),
    "charges.jsonl": lambda: write_charges_jsonl(example_charges()),
    "focus.csv": lambda: write_focus(make_invoices()),
    "apel.txt": lambda: write_apel(notebook_records(), SITE, None, UNTIL),
    "eosc.jsonl": lambda: write_eosc(notebook_records(), NAMES, None, UNTIL),
    "dlab.csv": lambda: write_dlab(example_charges(), JANUARY),
}
