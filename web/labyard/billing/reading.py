"""Usage records read and checked, before anything is asked of the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError, UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import (
    fingerprint_texts,
    read_record,
    show_texts,
)

from .payers import Payers

Name = tuple[str, str]  # source and key


class Texts(NamedTuple):
    """What is kept of a record, as texts; tuples, because there may be millions."""

    source: str
    key: str
    account: str
    resource: str
    unit: str
    quantity: str
    start: str  # ISO 8601 in UTC, with Z
    end: str
    deployment: str
    deployment_name: str
    plan: str
    shape: str
    project: str
    user: str
    details: str  # JSON; empty: none
    fingerprint: str


class Candidate(NamedTuple):
    """A good record."""

    place: int  # in what was sent, from 0
    decided: bool  # who pays was not said, but found out here
    texts: Texts

    @property
    def name(self) -> Name:
        """What it is known by."""
        return self.texts.source, self.texts.key

    def is_recorded_as(self, fingerprint: str, account: str) -> bool:
        """Whether the record with that fingerprint, paid by `account`, is the same."""
        if self.texts.fingerprint == fingerprint:
            return True
        # Who pays may have changed since.
        return self.decided and fingerprint_texts(self.texts._replace(account=account)[:-1]) == fingerprint


@dataclass(frozen=True)
class Refusal:
    """A record that was not taken: its place in what was sent, from 0, and why."""

    index: int
    error: str
    conflict: bool = False  # the key is known, with other content


@dataclass(frozen=True)
class Unreadable:
    """Stands for a record that could not even be read, and says why."""

    reason: str


@dataclass
class Reading:
    """What was read of documents."""

    candidates: Sequence[Candidate] = ()  # by source and key, each of which is there once
    known: int = 0  # that came before among these documents, with the same content
    refused: list[Refusal] = field(default_factory=list)


def read_lines(lines: Iterable[str], payers: Payers) -> Reading:
    """What is in lines of JSON, a record each."""
    return read_documents(map(_parse, lines), payers)


def read_documents(documents: Iterable[Any], payers: Payers) -> Reading:
    """What is in mappings of the fields of a usage record."""
    reading, found = Reading(), dict[Name, Candidate]()
    for place, document in enumerate(documents):
        try:
            candidate = _read(place, document, payers)
        except BillingError as error:
            reading.refused.append(Refusal(place, str(error)))
            continue
        first = found.setdefault(candidate.name, candidate)
        if first is candidate:
            continue
        if candidate.is_recorded_as(first.texts.fingerprint, first.texts.account):
            reading.known += 1
        else:
            reading.refused.append(contradiction(candidate))
    # In one order, so that writers with the same records wait for each other and not in a ring.
    reading.candidates = [found[name] for name in sorted(found)]
    return reading


def contradiction(candidate: Candidate) -> Refusal:
    """The refusal of a record whose key is known, with other content."""
    source, key = candidate.name
    text = (
        f"key: {source} has sent {key} before, with other content; a record never changes."
        " Send what is new under a key of its own"
    )
    return Refusal(candidate.place, text, conflict=True)


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"is no JSON: {error}")


def _read(place: int, document: Any, payers: Payers) -> Candidate:
    if isinstance(document, Unreadable):
        raise UsageError(document.reason)
    if not isinstance(document, Mapping):
        raise UsageError("a mapping of names and values is needed")
    decided = not document.get("account")
    if decided:
        account = payers.payer(document.get("project"), document.get("user"))
        if not account:
            raise UsageError("account: is missing, and no user is named who could pay")
        document = {**document, "account": account}
    texts = show_texts(read_record(document))
    return Candidate(place, decided, Texts._make((*texts, fingerprint_texts(texts))))
