"""The interface against its own description, as every role: no fault of ours, and no word that is not true.

Schemathesis makes the requests: from the schemas, against the schemas, and along the links. The short
form is the same in every run. `LABYARD_SCHEMATHESIS_SECONDS=600 pytest tests/api` gives each role ten
minutes of requests that nobody has seen before.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import Interface
from tests.conftest import SCRIPTS

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
LONG = os.environ.get("LABYARD_SCHEMATHESIS_SECONDS")
# Seconds for each role. Who is nobody gets nowhere, and soon. Admins come last: they can disable others.
SECONDS = {"nobody": 5, "disabled": 5, "expired": 5, "user": 15, "admin": 20}


@pytest.mark.parametrize("role", SECONDS)
def test_interface_keeps_its_word(interface: Interface, role: str) -> None:
    arguments = [
        *("--config-file", str(CONFIG), "--no-color"),
        *("run", f"{interface.url}/api/v1/openapi.json", "--checks", "all", "--continue-on-failure"),
        # Streams do not end: where a list can be had instead, it is asked for. See test_streams.py.
        *("--exclude-path", "/api/v1/deployments/events", "--header", "Accept: application/json"),
        *("--max-time", LONG or str(SECONDS[role]), "--request-timeout", "30"),
        *("--output-truncate", "false"),
        *(["--generation-database", "none"] if LONG else ["--generation-deterministic"]),
    ]
    for name, value in interface.headers(role).items():
        arguments += ["--header", f"{name}: {value}"]
    done = subprocess.run(
        [str(SCRIPTS / "st"), *arguments],
        capture_output=True,
        text=True,
        cwd=interface.console.home,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        check=False,
        timeout=60 + 2 * int(LONG or SECONDS[role]),
    )
    faults = [line for line in interface.console.log("web").splitlines() if "Traceback" in line]
    assert done.returncode == 0, done.stdout[-20_000:]
    assert not faults, interface.console.log("web")[-10_000:]
