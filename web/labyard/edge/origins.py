"""What a browser may send to a deployment on behalf of a page. Pure.

The ingress adds what opens the deployment to each request, so a program there takes every request
for its owner's own. All deployments are one site to a browser, which therefore sends the cookie with
requests that another deployment's page makes: only the origin tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Incoming:
    """A request as the ingress describes it."""

    method: str
    uri: str  # path and query
    origin: str
    site: str  # Sec-Fetch-Site
    mode: str  # Sec-Fetch-Mode
    dest: str  # Sec-Fetch-Dest
    accept: str
    is_upgrade: bool

    @property
    def is_navigation(self) -> bool:
        """Whether a person looks at the answer, so that they can be sent elsewhere."""
        if self.method not in ("GET", "HEAD") or self.is_upgrade:
            return False
        return self.mode == "navigate" if self.mode else "text/html" in self.accept


def read_incoming(header_of: Callable[[str, str], str]) -> Incoming:
    """The request that headers of the ingress and the browser tell of; `header_of` takes name and default."""

    def header(name: str) -> str:
        return header_of(name, "")

    return Incoming(
        method=header("X-Labyard-Method"),
        uri=header("X-Labyard-Uri") or "/",
        origin=header("Origin"),
        site=header("Sec-Fetch-Site"),
        mode=header("Sec-Fetch-Mode"),
        dest=header("Sec-Fetch-Dest"),
        accept=header("Accept"),
        is_upgrade=bool(header("X-Labyard-Upgrade")),
    )


def comes_from_elsewhere(incoming: Incoming, own_origin: str) -> bool:
    """Whether a page of another origin made the request, other than by leading a person there.

    Programs send neither of the headers, and hold no cookie that somebody could abuse.
    """
    if incoming.origin and incoming.origin != own_origin:
        return True  # browsers send it with all that changes something, and not as they follow a link
    if incoming.site in ("", "none", "same-origin"):
        return False
    # A link or a typed address: the person sees where they are. Not inside a page of others.
    return not (incoming.is_navigation and incoming.dest in ("", "document"))
