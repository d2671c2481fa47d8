"""The planner's choices: what is kept, made anew, removed, and refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import PAUSED
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError, StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.live import LiveStack, network_body
from ansible_collections.labyard.platform.plugins.module_utils._stack.plan import (
    Choices,
    Plan,
    check_names_are_free,
    created_services,
    make_plan,
)
from tests.unit.stack.stack_builders import desired, live_of, service


def brief(plan: Plan) -> list[str]:
    return [f"{action.action} {action.kind} {action.name}" for action in plan.everything]


def two_networks(**front: Any) -> dict[str, Any]:
    """Two services, each on a network of its own; keywords change the network `front`."""
    services = {name: {"image": "app", "networks": [net]} for name, net in (("web", "front"), ("db", "back"))}
    return {"services": services, "networks": {"front": front, "back": {}}}


def scaled(live: LiveStack, number: int, **labels: str) -> LiveStack:
    """The stack with another number of replicas of `web`."""
    result = copy.deepcopy(live)
    spec = result.services["shop_web"]["Spec"]
    spec["Mode"] = {"Replicated": {"Replicas": number}}
    spec["Labels"].update(labels)
    return result


@pytest.mark.parametrize(
    "changed",
    [{"attachable": True}, {"internal": True}, {"driver_opts": {"a": "b"}}, {"labels": {"a": "b"}}],
)
def test_plan_when_network_differs_and_asked_then_it_and_its_services_are_made_anew(
    changed: dict[str, Any],
) -> None:
    live = live_of(desired(two_networks()))
    assert brief(make_plan(desired(two_networks(**changed)), live)) == []
    plan = make_plan(desired(two_networks(**changed)), live, Choices(recreate_networks=True))
    assert brief(plan) == [
        "remove service shop_web",
        "remove network shop_front",
        "create network shop_front",
        "create service shop_web",
    ]
    assert plan.warnings == []


def test_plan_when_no_network_differs_then_nothing_though_asked() -> None:
    source = two_networks(driver_opts={"encrypted": ""}, ipam={"config": [{"subnet": "10.9.0.0/24"}]})
    live = live_of(desired(source))
    live.networks["shop_front"]["Options"]["com.docker.network.driver.overlay.vxlanid_list"] = "4097"
    assert brief(make_plan(desired(source), live, Choices(recreate_networks=True))) == []


def test_plan_when_an_unnamed_service_is_on_the_network_then_error_unless_pruned() -> None:
    live = live_of(desired(two_networks()))
    source = two_networks(internal=True)
    del source["services"]["web"]
    source["services"]["new"] = {"image": "app", "networks": ["front"]}
    with pytest.raises(ComposeError, match="the service 'shop_web' is on it"):
        make_plan(desired(source), live, Choices(recreate_networks=True))
    plan = make_plan(desired(source), live, Choices(recreate_networks=True, prune=True))
    assert brief(plan).count("remove service shop_web") == 1


def test_network_body_then_what_would_make_the_same_network() -> None:
    wanted = desired(two_networks(attachable=True, driver_opts={"a": "b"}))
    live = live_of(wanted)
    body = network_body(live.networks["shop_front"])
    again = LiveStack(
        networks={**live.networks, "shop_front": {"Id": "new", "Scope": "swarm", **body}},
        all_networks=live.all_networks,
    )
    assert make_plan(wanted, again, Choices()).warnings == []
    assert "Id" not in body


def test_plan_with_keep_replicas_then_only_the_number_is_kept() -> None:
    source = two_networks()
    live = scaled(live_of(desired(source)), 5)
    assert brief(make_plan(desired(source), live)) == ["update service shop_web"]
    assert brief(make_plan(desired(source), live, Choices(keep_replicas=True))) == []
    source["services"]["web"]["image"] = "other"
    (action,) = make_plan(desired(source), live, Choices(keep_replicas=True)).actions
    assert action.body["Mode"] == {"Replicated": {"Replicas": 5}}


def test_plan_with_keep_replicas_when_paused_then_the_number_from_before() -> None:
    source = two_networks()
    live = scaled(live_of(desired(source)), 0, **{PAUSED: "3"})
    (action,) = make_plan(desired(source), live, Choices(keep_replicas=True)).actions
    assert action.body["Mode"] == {"Replicated": {"Replicas": 3}}
    assert PAUSED not in action.body["Labels"]


def test_plan_with_prune_of_volumes_then_only_unnamed_ones_go() -> None:
    source = {"services": {"web": {"image": "app", "volumes": ["data:/d"]}}, "volumes": {"data": {}}}
    there = ("shop_data", "shop_old")
    plan = make_plan(desired(source), live_of(desired(source)), Choices(prune=True, prune_volumes=there))
    assert brief(plan) == ["remove volume shop_old"]


def test_created_services_then_without_those_that_are_made_anew() -> None:
    live = live_of(desired(two_networks()))
    source = two_networks(internal=True)
    source["services"]["new"] = {"image": "app"}
    plan = make_plan(desired(source), live, Choices(recreate_networks=True))
    assert created_services(plan) == ["shop_new"]


def test_check_names_when_taken_then_whose_it_is() -> None:
    stranger = service("shop_web")
    with pytest.raises(StackError, match=r"outside of the stack shop \(it belongs to no stack\)"):
        check_names_are_free("shop", ["shop_web"], {"shop_web": stranger})
    other = service("shop_web", Labels={"com.docker.stack.namespace": "sh"})
    with pytest.raises(StackError, match="it belongs to the stack sh"):
        check_names_are_free("shop", ["shop_web"], {"shop_web": other})
    check_names_are_free("shop", ["shop_web"], {"shop_web2": stranger})
