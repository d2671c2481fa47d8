# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that every module with a console shares; documented in doc_fragments/console.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from .client import Connection, ConsoleClient
from .errors import ConsoleError


def console_argument_spec() -> dict[str, Any]:
    """The connection to a console."""
    return {
        "url": {"type": "str", "fallback": (env_fallback, ["LABYARD_URL"])},
        "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["LABYARD_API_KEY"])},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "timeout": {"type": "int", "default": 30},
    }


def connect_console(options: Mapping[str, Any]) -> ConsoleClient:
    """A client for checked `options`; no call is made. Raises ConsoleError where url or key is missing."""
    for name, variable in (("url", "LABYARD_URL"), ("api_key", "LABYARD_API_KEY")):
        if not options[name]:
            raise ConsoleError(f"No console is known: set {name}, or the environment variable {variable}.")
    return ConsoleClient(
        Connection(
            options["url"],
            options["api_key"],
            options["validate_certs"],
            options["ca_path"],
            options["timeout"],
        )
    )
