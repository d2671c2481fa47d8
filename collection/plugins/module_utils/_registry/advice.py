# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about what an engine or a registry said. Pure."""

from __future__ import annotations

_FULL = "A disk is full: that of this node, or the registry's. Make room, then run again."
_DISTRUST = (
    "This node does not trust {registry}: run the role registry's entry point nodes on it, with the right "
    "registry_ca."
)
_NO_LOGIN = "{registry} wants credentials: run the role registry's entry point nodes on this node."
_CLEANING = "{registry} takes nothing now, perhaps because it is being cleaned up. Run again in a minute."

#: The first of these that is found in what was said decides.
_ADVICE = (
    ("no space left", _FULL),
    ("disk quota", _FULL),
    ("x509", _DISTRUST),
    ("certificate", _DISTRUST),
    ("unauthorized", _NO_LOGIN),
    ("no basic auth", _NO_LOGIN),
    ("authentication required", _NO_LOGIN),
    ("denied", "{registry} refuses this user: check the name and the password."),
    ("read-only", _CLEANING),
    ("unsupported", _CLEANING),
    ("connection refused", "Nobody listens at {registry}: start the registry, or correct the name."),
    ("no such host", "{registry} is no name that this node can look up."),
    ("500 internal", "{registry} could not keep it, which is most often a full disk. Look at its log."),
)


def advice_on(said: str, registry: str) -> str:
    """A sentence on what to do next.

    :param registry: host:port
    """
    low = said.lower()
    found = next((text for word, text in _ADVICE if word in low), "Look at the log of {registry}.")
    return found.format(registry=registry)
