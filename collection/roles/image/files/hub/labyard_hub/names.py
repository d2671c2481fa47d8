"""Names on the swarm for people and their servers. Pure."""

from __future__ import annotations

import hashlib
import re

# A service's name is also its name in DNS, where a label has no more.
LONGEST = 63
_DIGITS = 10


def digest(*texts: str) -> str:
    """Ten hexadecimal digits that stand for `texts`."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:_DIGITS]


def slug(text: str, longest: int = 30) -> str:
    """`text` in small letters, digits and dashes; two different texts never give the same.

    What had to be changed or cut ends with two dashes and a digest of the whole; no other slug has two
    dashes in a row.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(text) <= longest:
        return text
    kept = plain[: longest - _DIGITS - 2].strip("-") or "x"
    return f"{kept}--{digest(text)}"


def service_name(hub: str, user: str, server: str, start: str) -> str:
    """The name of one server's service: another one at each start, so that none is mistaken for its past."""
    parts = [slug(hub, 24), slug(user, 24), *([slug(server, 24)] if server else []), start]
    name = "-".join(parts)
    if len(name) <= LONGEST:
        return name
    return "-".join([slug(hub, 16), digest(user, server), start])


def volume_name(pattern: str, user: str) -> str:
    """A volume or a folder from its pattern, in which {user} is the person."""
    return pattern.replace("{user}", slug(user, 40))
