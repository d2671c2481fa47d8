# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of deployments, narrowed by filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .client import ConsoleClient
from .steps import COMPLETED, FAILED, INITIATED, PENDING, REMOVED

FILTERS = ("name", "search", "plan", "project", "owner", "state", "health", "removed")
STATES = {
    "INITIATED": INITIATED,
    "PENDING": PENDING,
    "COMPLETED": COMPLETED,
    "REMOVED": REMOVED,
    "FAILED": FAILED,
}


def list_deployments(client: ConsoleClient, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All deployments that pass `filters` (see FILTERS; None: not said), newest first."""
    query = {name: filters[name] for name in FILTERS if filters.get(name) is not None}
    if "state" in query:
        query["state"] = STATES[query["state"]]
    return client.pages("deployments", query)
