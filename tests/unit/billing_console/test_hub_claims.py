"""Which of several consoles bills a hub."""

from __future__ import annotations

from typing import Any, cast

import pytest
from docker.errors import APIError
from requests import Response

from labyard.billing.hub_claims import HubTaken, claim_hub, claim_name
from labyard.deployments.swarm import EngineClient
from tests.unit.deployments.fake_engine import FakeEngine

HUB, HERE, THERE = "lab-hub", "https://here.example", "https://there.example"


@pytest.fixture
def swarm() -> FakeEngine:
    """A swarm with the hub."""
    made = FakeEngine()
    made.add("service", f"{HUB}_hub", "", "", stack=HUB)
    return made


def claim(swarm: FakeEngine, console: str, address: str, hub: str = HUB) -> bool:
    return claim_hub(cast(EngineClient, swarm), hub, console, address)


def test_hub_when_claimed_then_is_its_console_s_and_no_other_s(swarm: FakeEngine) -> None:
    assert claim(swarm, "here", HERE)
    assert not claim(swarm, "here", HERE)
    with pytest.raises(HubTaken) as refused:
        claim(swarm, "there", THERE)
    for word in (HUB, HERE, "here", "console_hub_stack", f"docker config rm {claim_name(HUB)}"):
        assert word in refused.value.detail
    assert claim(swarm, "here", HERE) is False


def test_hub_when_given_up_then_another_console_claims_it(swarm: FakeEngine) -> None:
    claim(swarm, "here", HERE)
    swarm.remove_config(claim_name(HUB))
    assert claim(swarm, "there", THERE)


def test_hub_when_it_is_not_on_the_swarm_then_is_not_claimed() -> None:
    swarm = FakeEngine()
    assert not claim(swarm, "here", HERE)
    assert swarm.names("config") == []


def test_hub_when_only_a_notebook_of_it_is_left_then_is_claimed() -> None:
    swarm = FakeEngine()
    swarm.add("service", f"{HUB}-1", "", "", stack="other")
    swarm.objects["service", f"{HUB}-1"]["Labels"]["labyard.hub"] = HUB
    assert claim(swarm, "here", HERE)


def test_claim_when_the_console_has_moved_then_tells_its_new_address(swarm: FakeEngine) -> None:
    claim(swarm, "here", HERE)
    assert claim(swarm, "here", "https://new.example")
    with pytest.raises(HubTaken, match=r"https://new\.example"):
        claim(swarm, "there", THERE)


def test_claim_when_another_console_is_quicker_then_refused(
    swarm: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = swarm.create_config

    def be_late(name: str, data: bytes, labels: dict[str, str]) -> dict[str, Any]:
        monkeypatch.undo()
        claim(swarm, "there", THERE)
        return create(name, data, labels)

    monkeypatch.setattr(swarm, "create_config", be_late)
    with pytest.raises(HubTaken, match=THERE):
        claim(swarm, "here", HERE)


def test_claim_when_the_engine_refuses_for_another_reason_then_it_is_told(
    swarm: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: Any) -> dict[str, Any]:
        answer = Response()
        answer.status_code = 500
        raise APIError("no", response=answer, explanation="no space is left")

    monkeypatch.setattr(swarm, "create_config", refuse)
    with pytest.raises(APIError, match="no space is left"):
        claim(swarm, "here", HERE)


def test_name_when_hubs_begin_alike_then_differ_and_are_short_enough(swarm: FakeEngine) -> None:
    long = "h" * 60
    assert len(claim_name(long)) <= 64
    assert len({claim_name(name) for name in (HUB, f"{HUB}2", long, f"{long}2")}) == 4
    swarm.add("service", f"{HUB}2_hub", "", "", stack=f"{HUB}2")
    assert claim(swarm, "there", THERE, f"{HUB}2")
    assert claim(swarm, "here", HERE)
