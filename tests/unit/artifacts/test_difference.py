"""What a run changed, from the events of its modules."""

from __future__ import annotations

from typing import Any

from labyard.artifacts.difference import read_difference


def event(diff: Any, kind: str = "runner_on_ok", **result: Any) -> dict[str, Any]:
    return {
        "event": kind,
        "event_data": {"task": "Change it", "res": {"changed": True, "diff": diff, **result}},
    }


def test_objects_that_differ_are_told_one_by_one() -> None:
    before = {"service a": {"image": "one"}, "network n": {"driver": "overlay"}}
    after = {"service a": {"image": "two"}, "network n": {"driver": "overlay"}, "config c": "text"}
    found = read_difference([event({"before": before, "after": after})])
    assert [part["object"] for part in found] == ["service a", "config c"]
    assert '"one"' in found[0]["before"]
    assert '"two"' in found[0]["after"]
    assert found[1] == {"object": "config c", "before": "", "after": "text"}


def test_texts_are_named_after_their_file_or_their_task() -> None:
    texts = [
        {"before": "a\n", "after": "b\n", "before_header": "old", "after_header": "/etc/x"},
        {"before": "a\n", "after": "c\n"},
        {"prepared": "+ line"},
    ]
    found = read_difference([event(texts)])
    assert [part["object"] for part in found] == ["/etc/x", "Change it", "Change it"]


def test_items_of_a_loop_are_read_too() -> None:
    items = [{"changed": True, "diff": {"before": "1", "after": "2"}}, {"changed": False, "diff": {}}]
    (found,) = read_difference([event(None, results=items)])
    assert (found["before"], found["after"]) == ("1", "2")


def test_what_did_not_change_failed_or_is_censored_is_left_out() -> None:
    diff = {"before": "1", "after": "2"}
    events = [
        event(diff, changed=False),
        event(diff, kind="runner_on_failed"),
        event(diff, censored="hidden"),
        event({"before": "1", "after": "1"}),
        {"event": "playbook_on_stats", "event_data": {}},
        event("nonsense"),
    ]
    assert read_difference(events) == []


def test_long_texts_are_cut_off() -> None:
    (found,) = read_difference([event({"before": "", "after": "x" * 9000})])
    assert found["after"].endswith("[1000 more characters]")
