"""A core called directly gets what a module gets, and answers as a module does."""

from __future__ import annotations

from typing import Any

from ansible.template import trust_as_template

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import call_core
from ansible_collections.labyard.platform.plugins.plugin_utils.in_process import as_sent


def types_in(value: Any) -> set[type]:
    """The types of a value and of all that is in it."""
    if isinstance(value, dict):
        return {type(value)}.union(*map(types_in, value), *map(types_in, value.values()))
    return {type(value)}.union(*map(types_in, value)) if isinstance(value, list) else {type(value)}


def test_arguments_when_sent_then_plain_values_without_tags() -> None:
    tagged = trust_as_template("{{ 6 * 7 }}")
    assert type(tagged) is not str
    sent = as_sent(
        {"compose": [{"services": {"web": {"image": tagged}}}, 1, 2.5, None, True], "é": ("a", "b")}
    )
    assert sent["compose"][0] == {"services": {"web": {"image": "{{ 6 * 7 }}"}}}
    assert sent["é"] == ["a", "b"]
    assert types_in(sent) == {dict, list, str, int, float, bool, type(None)}


def test_core_when_nobody_asks_for_the_difference_then_it_is_left_out() -> None:
    def core(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        return {"changed": check_mode, "diff": {"before": options, "after": {}}}

    assert call_core(core, {"a": 1}, check_mode=True, diff=False) == {"changed": True}
    assert call_core(core, {"a": 1}, check_mode=False, diff=True)["diff"]["before"] == {"a": 1}


def test_core_when_it_raises_its_error_then_a_failure_in_words() -> None:
    def core(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        raise StackError("The image is not there; build it.")

    failed = call_core(core, {}, check_mode=False, diff=False)
    assert failed == {"failed": True, "msg": "The image is not there; build it."}
