"""Kills at random moments: nothing is lost, doubled or left, and every command ends. Each kind of kill comes
once, each phase twice at least; the long form is `make test-faults`."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from .campaign import Campaign, Planned, resource_params
from .house import Servers, open_house

PLANS = {
    "sqlite": ["web install", "worker update", "starter install"],
    "postgresql": ["run update", "ansible-playbook remove", "postgresql install", "redis remove"],
}


@pytest.mark.parametrize("servers", ["sqlite", "postgresql"], indirect=True)
def test_console_when_its_parts_are_killed_then_nothing_is_lost_doubled_or_left(
    servers: Servers | None, tmp_path: Path
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    with open_house(tmp_path, servers) as house:
        campaign = Campaign(house, seed, people=3, params=resource_params, overlap=3)
        plan = [Planned(*words.split()) for words in PLANS[house.database]]
        kills, found = campaign.carry_out(plan)
        logs = house.logs()
    problems = [text for kill in kills for text in kill.findings.all()] + found.all()
    assert not problems, f"seed {seed}: {problems}\n{logs}"
    assert not campaign.journal.refused
    assert max(kill.longest for kill in kills) <= 180
