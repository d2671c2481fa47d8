"""The tariffs by which accounts are billed, each read once; and whether sums were made by the same ones."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, show_tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import show_moment
from labyard.errors import Conflict
from labyard.models import BillingAccount

from .tariffs import STANDARD, read_versions


class AccountTariffs:
    """What is read stays as it was, so make a new one for each look."""

    def __init__(self, session: Session) -> None:
        rows = session.execute(select(BillingAccount.name, BillingAccount.id, BillingAccount.tariff))
        self.ids: dict[str, int] = {}  #: of accounts, by their names
        self._names: dict[str, str] = {}
        for account, number, tariff in rows:
            self.ids[account], self._names[account] = number, tariff or STANDARD
        self._session = session
        self._versions: dict[str, list[Tariff]] = {}
        self._hashes: dict[tuple[str, datetime, datetime], str] = {}

    def versions(self, account: str) -> list[Tariff]:
        """All versions of the account's tariff; raises Conflict if it has none."""
        name = self._names.get(account, STANDARD)
        if name not in self._versions:
            try:
                self._versions[name] = read_versions(self._session, name)
            except Conflict:
                self._versions[name] = []
        if not self._versions[name]:
            raise Conflict(f"There is no tariff {name}.")
        return self._versions[name]

    def hash(self, account: str, start: datetime, until: datetime) -> str:
        """64 hexadecimal digits that change when what holds in [start, until] changes."""
        name = self._names.get(account, STANDARD)
        if (name, start, until) not in self._hashes:
            try:
                versions = self.versions(account)
            except Conflict:
                versions = []
            told = [
                [_text_of(one), show_moment(one.valid_to) if one.valid_to and one.valid_to <= until else ""]
                for one in versions
                if one.valid_from <= until and (one.valid_to is None or one.valid_to > start)
            ]
            text = json.dumps([name, told])
            self._hashes[name, start, until] = hashlib.sha256(text.encode()).hexdigest()
        return self._hashes[name, start, until]


@lru_cache(maxsize=256)
def _text_of(tariff: Tariff) -> str:
    """All that it says but for its end."""
    return json.dumps({**show_tariff(tariff), "valid_to": None}, sort_keys=True)
