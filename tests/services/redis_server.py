"""Redis of Debian's packages."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import redis

from .process import ServerProcess


class RedisServer(ServerProcess):
    """A server on a free port and on a socket in its folder. Everybody needs the password."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        super().__init__("redis", "redis", addresses)
        self.password = secrets.token_urlsafe(16)
        settings = {
            "bind": " ".join(self.addresses),
            "port": str(self.port),
            "unixsocket": str(self.folder / "socket"),
            "unixsocketperm": "777",  # the folder is closed to others
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "yes",
            "requirepass": self.password,
        }
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        path = self.folder / "redis.conf"
        path.write_text("".join(lines), encoding="ascii")
        path.chmod(0o644)

    def command(self) -> list[str]:
        """The server; what it took is written to a file every second."""
        return ["redis-server", str(self.folder / "redis.conf")]

    def answers(self) -> bool:
        """Whether one can sign in."""
        with redis.Redis.from_url(self.url()) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def empty(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url()) as client:
            client.flushall()

    def url(self, address: str | None = None) -> str:
        """The server's address with the password: its socket, or over TCP if an address is given."""
        if address:
            return f"redis://:{self.password}@{address}:{self.port}/0"
        return f"unix://:{self.password}@{self.folder}/socket?db=0"
