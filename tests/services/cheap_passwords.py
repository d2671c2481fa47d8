"""Passwords that cost little, for tests that make hundreds of people."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from labyard.accounts import people


def make_passwords_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with the real algorithm at its lowest cost."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", cheap)
    monkeypatch.setattr(people, "_NO_HASH", cheap.hash("no such user"))
