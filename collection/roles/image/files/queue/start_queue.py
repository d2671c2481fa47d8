"""Write the configuration of a queue, then become Redis; or, with "healthy", ask it whether it answers.

/run/secrets/settings      what is wanted, as JSON: see `Settings` below
/run/secrets/key           the key of the certificate
/run/secrets/certificate
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What is wanted."""

    user: str  # the one who may come in
    password: str
    memory: int  # MiB that the container may take
    options: dict[str, str] = field(default_factory=dict)  # further settings of the server


@dataclass(frozen=True)
class Places:
    """Where files lie."""

    settings: Path = Path("/run/secrets/settings")
    certificate: Path = Path("/run/secrets/certificate")
    key: Path = Path("/run/secrets/key")
    data: Path = Path("/var/lib/redis")
    run: Path = Path("/run/redis")

    @property
    def configuration(self) -> Path:
        """The server's settings; they are made at each start."""
        return self.run / "redis.conf"

    @property
    def socket(self) -> Path:
        """Where programs of this container find the server."""
        return self.run / "socket"


def main() -> None:
    """Become the server, or the client that asks it."""
    places = Places()
    os.umask(0o077)
    settings = Settings(**json.loads(places.settings.read_text(encoding="utf-8")))
    if sys.argv[1:] == ["healthy"]:
        os.environ["REDISCLI_AUTH"] = settings.password
        question = ["redis-cli", "-e", "-s", str(places.socket), "--user", settings.user, "ping"]
        os.execvp("redis-cli", question)  # noqa: S606 - no shell is wanted
    places.configuration.write_text(configuration(settings, places), encoding="utf-8")
    os.execv("/usr/bin/redis-server", ["redis-server", str(places.configuration)])  # noqa: S606 - no shell is wanted


def configuration(settings: Settings, places: Places) -> str:
    """The text of redis.conf. Of the password it has the hash alone."""
    password = hashlib.sha256(settings.password.encode()).hexdigest()
    chosen = {
        "port": "0",  # nobody without TLS
        "tls-port": "6379",
        "tls-cert-file": str(places.certificate),
        "tls-key-file": str(places.key),
        "tls-auth-clients": "no",
        "tls-protocols": '"TLSv1.2 TLSv1.3"',
        "unixsocket": str(places.socket),
        "unixsocketperm": "700",
        "dir": str(places.data),
        # Everything that was taken is in a file after a second at most; what is lost is sent again.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        # Room for the copy that is made when the file is written anew. Nothing is ever thrown away.
        "maxmemory": f"{settings.memory * 6 // 10}mb",
        "maxmemory-policy": "noeviction",
        "user default": "off",
        f"user {settings.user}": f"on #{password} ~* &* +@all -@admin -@dangerous +info",
        **settings.options,
    }
    return "".join(f"{name} {value}\n" for name, value in chosen.items())


if __name__ == "__main__":
    main()
