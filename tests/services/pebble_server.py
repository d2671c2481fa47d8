"""Pebble of Debian's packages: an authority that speaks ACME, strict, for tests alone, with its own DNS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.labyard.platform.plugins.module_utils._certificates.keeping import (
    Authority,
    keep_certificate,
)
from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted
from tests.conftest import free_port, wait_until
from tests.integration.debian_programs import ensure_program, log_of, running


@dataclass(frozen=True)
class Pebble:
    """One that runs. Every name leads to 127.0.0.1, as it sees it."""

    directory: str
    ca: Path  # whom to trust about `directory`
    dns: str  # where TXT records are set, an HTTP address


@contextmanager
def pebble(folder: Path, http_port: int) -> Iterator[Pebble]:
    """Pebble while this lasts; it looks for http-01 at this port."""
    program = ensure_program("pebble", "pebble")
    names = ensure_program("pebble-challtestsrv", "pebble")
    port, management, dns, control = (free_port() for _ in range(4))
    wanted = Wanted("pebble", ("localhost",), ("127.0.0.1",), days=2)
    kept = keep_certificate(folder / "pebble", wanted, Authority("Tests", 2), 1, datetime.now(UTC), False)
    config = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": kept.certificate,
        "privateKey": kept.key,
        "httpPort": http_port,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
    dns_command = [names, "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{control}"]
    dns_command += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
    # No waiting between looks, and no question that it refuses by chance.
    command = ["env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", program, "-strict"]
    command += ["-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns}"]
    with (
        running(*dns_command, log=folder / "names.log"),
        running(*command, log=folder / "pebble.log") as process,
    ):
        wait_until(lambda: "ACME directory" in log_of(process, folder / "pebble.log"), 20, "Pebble answers")
        yield Pebble(f"https://127.0.0.1:{port}/dir", Path(kept.ca), f"http://127.0.0.1:{control}")
