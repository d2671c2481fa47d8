# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of documents: each hash holds the one before it, so nothing in the middle can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

#: What stands before the first document.
START = "0" * 64


def document_hash(document: Mapping[str, Any], previous_hash: str) -> str:
    """64 hexadecimal digits: SHA-256 of the hash before it and the document's canonical JSON.

    Canonical is: keys sorted, no white space, UTF-8, and no number but integers.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()


def verify_chain(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[str]:
    """What is wrong with a chain of (name, document, hash), in its order; nothing if all is well."""
    wrong = []
    previous = START
    for name, document, kept in documents:
        if document_hash(document, previous) != kept:
            wrong.append(f"{name}: its hash does not fit; it or what is before it was changed")
        previous = kept
    return wrong
