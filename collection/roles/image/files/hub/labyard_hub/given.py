"""What the role jupyterhub hands to the hub: two documents, of which one is secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/jupyterhub/settings.json")
SECRETS = Path("/run/secrets/hub.json")
AUTHORITIES = Path("/etc/jupyterhub/ca.crt")


@dataclass(frozen=True)
class Given:
    """The two documents; what stands in them is said in the role's vars/main.yml."""

    settings: dict[str, Any]
    secrets: dict[str, Any]
    authorities: str = ""  # the file of those who sign the directory's and the database's certificates

    def derived(self, purpose: str) -> str:
        """A secret of 64 hexadecimal digits for one purpose, from the hub's own."""
        return hmac.new(self.secrets["secret"].encode(), purpose.encode(), hashlib.sha256).hexdigest()


def read_given(settings: Path = SETTINGS, secrets: Path = SECRETS, authorities: Path = AUTHORITIES) -> Given:
    """Read both; raises OSError or ValueError, which end the hub with the file's name in its log."""
    return Given(
        settings=json.loads(settings.read_text(encoding="utf-8")),
        secrets=json.loads(secrets.read_text(encoding="utf-8")),
        authorities=str(authorities) if authorities.exists() and authorities.stat().st_size > 1 else "",
    )
