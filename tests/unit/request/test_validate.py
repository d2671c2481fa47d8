"""What clean_params takes and refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Field, PhaseSpec
from ansible_collections.labyard.platform.plugins.module_utils._request.validate import (
    InvalidParams,
    clean_params,
)


def make_field(kind: str = "str", name: str = "value", **about: Any) -> Field:
    return Field(name=name, option=f"role_{name}", type=kind, title=name, group="Group", **about)


def make_phase(*fields: Field) -> PhaseSpec:
    return PhaseSpec("install", "Launch", 300, (), fields, ())


def clean(field: Field, value: Any) -> Any:
    return clean_params(make_phase(field), {field.name: value})[field.name]


def refusal(field: Field, value: Any) -> str:
    with pytest.raises(InvalidParams) as caught:
        clean(field, value)
    return caught.value.errors[field.name]


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("str", "text", "text"),
        ("str", 5, "5"),
        ("int", "5", 5),
        ("int", 5.0, 5),
        ("float", "1.5", 1.5),
        ("float", 2, 2.0),
        ("bool", "yes", True),
        ("bool", False, False),
        ("bool", 0, False),
        ("list", ["a", 1], ["a", "1"]),
        ("dict", {"A": "b", "N": 1, "T": True}, {"A": "b", "N": "1", "T": "true"}),
    ],
)
def test_value_of_a_fitting_kind_is_converted(kind: str, given: Any, wanted: Any) -> None:
    assert clean(make_field(kind), given) == wanted


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("str", {"a": 1}, "must be a text"),
        ("str", ["a"], "must be a text"),
        ("str", True, "must be a text"),
        ("int", "five", "must be a whole number"),
        ("int", 1.5, "must be a whole number"),
        ("int", True, "must be a whole number"),
        ("int", math.inf, "must be a whole number"),
        ("float", "much", "must be a number"),
        ("float", "nan", "must be a number"),
        ("float", "inf", "must be a number"),
        ("bool", "perhaps", "must be true or false"),
        ("bool", 2, "must be true or false"),
        ("list", "a,b", "must be a list"),
        ("list", [["a"]], "entry 1: must be a text"),
        ("dict", "a=b", "must be a mapping of names to values"),
        ("dict", {"a": {"b": "c"}}, "'a': must be a text or a number"),
        ("dict", {1: "b"}, "names must be texts"),
    ],
)
def test_value_of_another_kind_is_refused_in_words(kind: str, given: Any, words: str) -> None:
    assert refusal(make_field(kind), given) == words


@pytest.mark.parametrize(
    ("about", "given", "words"),
    [
        ({"minimum": 0.1, "maximum": 64, "unit": "cores"}, 65, "must be between 0.1 and 64 cores"),
        ({"minimum": 256}, 1, "must be at least 256"),
        ({"maximum": 1048576, "unit": "MiB"}, 1e9, "must be at most 1048576 MiB"),
    ],
)
def test_number_out_of_range_is_refused_with_the_range(
    about: dict[str, Any], given: float, words: str
) -> None:
    assert refusal(make_field("float", **about), given) == words


def test_choice_that_is_none_is_refused_with_the_choices() -> None:
    assert refusal(make_field(choices=("a", "b")), "c") == "must be one of: a, b"


def test_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParams) as caught:
        clean_params(make_phase(make_field(name="cpu_limit")), {"cpu_limits": 1})
    assert caught.value.errors == {"cpu_limits": "is not a parameter here; did you mean cpu_limit?"}


def test_required_field_that_is_missing_is_refused() -> None:
    with pytest.raises(InvalidParams) as caught:
        clean_params(make_phase(make_field(required=True)), {})
    assert caught.value.errors == {"value": "is required"}


def test_all_wrong_fields_are_reported_at_once() -> None:
    phase = make_phase(make_field("int", name="a"), make_field("bool", name="b"))
    with pytest.raises(InvalidParams) as caught:
        clean_params(phase, {"a": "x", "b": "maybe", "c": 1})
    assert set(caught.value.errors) == {"a", "b", "c"}


@pytest.mark.parametrize("key", ["__ansible_unsafe", "__ansible_vault", "__ansible_anything"])
def test_key_that_ansible_reads_as_an_instruction_is_refused(key: str) -> None:
    assert "reserved" in refusal(make_field("dict"), {key: "x"})


def test_text_too_long_is_refused_with_the_limit() -> None:
    assert refusal(make_field(max_length=3), "abcd") == "is too long: at most 3 characters"


def test_pattern_must_match_the_whole_text() -> None:
    assert "is not allowed here" in refusal(make_field(pattern="[a-z]+"), "abc\n")


def test_default_is_given_only_where_it_is_asked_for() -> None:
    phase = make_phase(make_field("int", default=5))
    assert clean_params(phase, {}) == {"value": 5}
    assert clean_params(phase, {}, defaults=False) == {}


@pytest.mark.parametrize("payload", ["{{ lookup('pipe', 'touch /tmp/x') }}", "{% for x in y %}", "$(id)"])
def test_template_payload_stays_the_text_it_is(payload: str) -> None:
    assert clean(make_field(), payload) == payload
