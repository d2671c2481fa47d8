"""The planner: (desired, live) to actions."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError, StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.files import digest
from ansible_collections.labyard.platform.plugins.module_utils._stack.live import LiveStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.plan import Choices, Plan, make_plan
from ansible_collections.labyard.platform.plugins.module_utils._stack.remove import plan_removal
from ansible_collections.labyard.platform.plugins.module_utils._stack.scale import plan_scale
from tests.unit.stack.stack_builders import desired, document, live_of


def rich(content: str = "x", **web: Any) -> dict[str, Any]:
    """A document with something of every kind."""
    source = document(networks=["front"], configs=["conf"], volumes=["data:/data"], **web)
    return {
        **source,
        "networks": {"front": {}},
        "volumes": {"data": {}},
        "configs": {"conf": {"content": content}},
    }


def brief(plan: Plan) -> list[str]:
    return [f"{action.action} {action.kind} {action.name}" for action in plan.everything]


def choices(source: dict[str, Any], **more: Any) -> Choices:
    stack = desired(source)
    hashes = {f"config/{name}": digest(b"key", "config/shop", file) for name, file in stack.configs.items()}
    return Choices(digests=hashes, **more)


def applied(source: dict[str, Any]) -> LiveStack:
    """The swarm after `source` was deployed onto an empty one."""
    wanted = desired(source)
    live = live_of(wanted)
    for action in make_plan(wanted, LiveStack(), choices(source)).actions:
        if action.kind == "config":
            live.configs[action.name]["Spec"]["Labels"] = action.body.labels
    return live


def test_plan_onto_nothing_then_creates_in_order() -> None:
    plan = make_plan(desired(rich()), LiveStack(), choices(rich()))
    assert brief(plan) == ["create network shop_front", "create config shop_conf", "create service shop_web"]


def test_plan_onto_its_own_result_then_nothing() -> None:
    assert brief(make_plan(desired(rich()), applied(rich()), choices(rich()))) == []


DEPLOY = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "endpoint_mode": st.sampled_from(["vip", "dnsrr"]),
        "labels": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["", "1"])),
        "update_config": st.fixed_dictionaries(
            {}, optional={"parallelism": st.integers(0, 2), "delay": st.just("0s")}
        ),
        "restart_policy": st.fixed_dictionaries(
            {},
            optional={"delay": st.sampled_from(["0s", "5s"]), "condition": st.sampled_from(["any", "none"])},
        ),
        "resources": st.fixed_dictionaries(
            {},
            optional={"limits": st.fixed_dictionaries({}, optional={"memory": st.sampled_from(["0", "1g"])})},
        ),
        "placement": st.fixed_dictionaries(
            {}, optional={"constraints": st.lists(st.just("node.role==manager"))}
        ),
    },
)
SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["a", "b:1"])},
    optional={
        "deploy": DEPLOY,
        "init": st.booleans(),
        "read_only": st.booleans(),
        "environment": st.dictionaries(st.sampled_from(["A", "B"]), st.none() | st.sampled_from(["", "1"])),
        "command": st.none() | st.lists(st.text(min_size=1, max_size=3), max_size=2),
        "volumes": st.lists(st.sampled_from(["/x", "/h:/h:ro"]), unique=True),
        "networks": st.lists(st.sampled_from(["n", "m"]), unique=True),
        "stop_grace_period": st.sampled_from(["0s", "1s"]),
        "healthcheck": st.sampled_from([{"disable": True}, {"test": "true", "retries": 0}]),
    },
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["web", "db"]), SERVICE, min_size=1))
def test_plan_of_any_stack_onto_its_own_result_then_nothing(services: dict[str, Any]) -> None:
    wanted = desired({"services": services, "networks": {"n": {}, "m": {}}})
    assert brief(make_plan(wanted, live_of(wanted))) == []


@pytest.mark.parametrize(
    "web",
    [
        {"image": "app:2"},
        {"command": "x"},
        {"environment": {"A": ""}},
        {"init": False},
        {"labels": {"a": ""}},
        {"stop_grace_period": "0s"},
        {"read_only": True},
        {"deploy": {"replicas": 0}},
        {"deploy": {"replicas": 2}},
        {"deploy": {"mode": "global"}},
        {"deploy": {"endpoint_mode": "dnsrr"}},
        {"deploy": {"labels": {"a": "b"}}},
        {"deploy": {"update_config": {"parallelism": 0}}},
        {"deploy": {"restart_policy": {"delay": "0s"}}},
        {"deploy": {"restart_policy": {"condition": "none"}}},
        {"deploy": {"resources": {"limits": {"memory": "1g"}}}},
        {"healthcheck": {"disable": True}},
        {"ports": [{"target": 1, "published": 2, "mode": "host"}]},
    ],
)
def test_plan_when_a_key_differs_then_one_update(web: dict[str, Any]) -> None:
    before, after = desired(document()), desired(document(**web))
    assert brief(make_plan(after, live_of(before))) == ["update service shop_web"]
    assert brief(make_plan(before, live_of(after))) == ["update service shop_web"]


def test_plan_of_an_update_then_force_update_is_carried_over() -> None:
    live = live_of(desired(document()))
    live.services["shop_web"]["Spec"]["TaskTemplate"]["ForceUpdate"] = 4
    (action,) = make_plan(desired(document(command="x")), live).actions
    assert action.body["TaskTemplate"]["ForceUpdate"] == 4


def test_plan_when_content_changed_then_new_version_and_services_move() -> None:
    plan = make_plan(desired(rich("new")), applied(rich("old")), choices(rich("new"), keep_versions=0))
    assert brief(plan) == ["create config shop_conf-v2", "update service shop_web", "remove config shop_conf"]
    reference = plan.actions[1].body["TaskTemplate"]["ContainerSpec"]["Configs"][0]
    assert reference["ConfigName"] == "shop_conf-v2"
    assert reference["File"]["Name"] == "conf"


def test_plan_when_content_changed_then_kept_versions_stay() -> None:
    plan = make_plan(desired(rich("new")), applied(rich("old")), choices(rich("new"), keep_versions=1))
    assert brief(plan) == ["create config shop_conf-v2", "update service shop_web"]


def test_plan_when_content_is_unknown_then_new_version_unless_assumed_same() -> None:
    live = live_of(desired(rich()))
    assert brief(make_plan(desired(rich()), live, choices(rich())))[0] == "create config shop_conf-v2"
    assert brief(make_plan(desired(rich()), live, choices(rich(), assume_same=True))) == []
    assert brief(make_plan(desired(rich()), live, choices(rich(), same={"shop_conf"}))) == []


def test_plan_shows_no_content() -> None:
    plan = make_plan(desired(rich("hidden words")), LiveStack(), choices(rich("hidden words")))
    assert "hidden words" not in repr(plan)
    assert "hidden words" not in repr([(action.before, action.after) for action in plan.actions])


def test_digest_differs_by_key_name_and_content() -> None:
    file = desired(rich("a")).configs["shop_conf"]
    hashes = {
        digest(b"key", "config/shop", file),
        digest(b"other", "config/shop", file),
        digest(b"key", "config/other", file),
        digest(b"key", "config/shop", replace(file, name="x")),
        digest(b"key", "config/shop", replace(file, data=b"b")),
    }
    assert len(hashes) == 5
    assert digest(b"", "config/shop", file) == ""


def test_plan_with_prune_then_only_what_is_no_longer_named_goes() -> None:
    source = rich()
    source["services"]["old"] = {"image": "x", "networks": ["back"]}
    source["networks"]["back"] = {}
    source["configs"]["gone"] = {"content": "y"}
    live = applied(source)
    assert brief(make_plan(desired(rich()), live, choices(rich()))) == []
    assert brief(make_plan(desired(rich()), live, choices(rich(), prune=True))) == [
        "remove service shop_old",
        "remove network shop_back",
        "remove config shop_gone",
    ]


def test_plan_when_config_was_made_anew_under_its_name_then_service_is_updated() -> None:
    live = applied(rich())
    live.configs["shop_conf"]["ID"] = "another"
    assert brief(make_plan(desired(rich()), live, choices(rich()))) == ["update service shop_web"]


def test_plan_when_network_differs_then_warning_and_no_action() -> None:
    source = rich()
    source["networks"]["front"] = {"attachable": True}
    plan = make_plan(desired(source), applied(rich()), choices(rich()))
    assert brief(plan) == []
    assert "shop_front differs from the document in attachable" in plan.warnings[0]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (None, "networks.ext: the external network 'outside' does not exist"),
        ({"Id": "1", "Name": "outside", "Scope": "local"}, "has the scope 'local'"),
    ],
)
def test_plan_when_external_network_is_unfit_then_error(network: dict[str, Any] | None, words: str) -> None:
    source = document(networks=["ext"])
    source["networks"] = {"ext": {"external": True, "name": "outside"}}
    live = LiveStack(all_networks={"outside": network} if network else {})
    with pytest.raises(ComposeError) as caught:
        make_plan(desired(source), live)
    assert words in str(caught.value)


def test_plan_when_external_secret_is_missing_or_name_is_taken_then_error() -> None:
    source = {**document(secrets=["k"]), "secrets": {"k": {"external": True}}}
    with pytest.raises(ComposeError, match="the external secret 'k' does not exist"):
        make_plan(desired(source), LiveStack())
    with pytest.raises(ComposeError, match="does not belong to this stack"):
        make_plan(desired(rich()), LiveStack(all_configs={"shop_conf": {"ID": "1"}}))


def test_plan_leaves_its_inputs_alone() -> None:
    wanted, live = desired(rich("new")), applied(rich("old"))
    kept_wanted, kept_live = copy.deepcopy(wanted), copy.deepcopy(live)
    make_plan(wanted, live, choices(rich("new"), prune=True))
    assert (wanted, live) == (kept_wanted, kept_live)


def test_plan_removal_then_services_before_what_they_use() -> None:
    actions = plan_removal(applied(rich()), ["shop_data"])
    assert [f"{action.kind} {action.name}" for action in actions] == [
        "service shop_web",
        "config shop_conf",
        "network shop_front",
        "volume shop_data",
    ]


def test_plan_scale_then_only_numbers_that_differ() -> None:
    live = live_of(desired({"services": {"web": {"image": "a"}, "db": {"image": "b"}}}))
    (action,) = plan_scale("shop", {"web": 3, "shop_db": 1}, live)
    assert action.body["Mode"] == {"Replicated": {"Replicas": 3}}
    assert action.name == "shop_web"


@pytest.mark.parametrize(
    ("replicas", "words"),
    [({"nope": 1}, "no service 'nope'; its services are: shop_web"), ({"web": -1}, "it is 0 or more")],
)
def test_plan_scale_when_impossible_then_error(replicas: dict[str, int], words: str) -> None:
    with pytest.raises(StackError, match=words):
        plan_scale("shop", replicas, live_of(desired(document())))


def test_plan_scale_of_a_global_service_then_error() -> None:
    with pytest.raises(StackError, match="not replicated"):
        plan_scale("shop", {"web": 1}, live_of(desired(document(deploy={"mode": "global"}))))
