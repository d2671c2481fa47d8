"""Names on the swarm for people and their servers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labyard_hub.names import LONGEST, service_name, slug, volume_name

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_PEOPLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("text", "expected"), [("ada", "ada"), ("ada-king", "ada-king"), ("a1", "a1"), ("x" * 30, "x" * 30)]
)
def test_slug_when_plain_then_is_the_text(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    "text", ["Ada", "ada.king", "ada_king", "x" * 31, "ada--king", "-", "é", "../../etc"]
)
def test_slug_when_not_plain_then_ends_with_a_digest(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+--[0-9a-f]{10}", slug(text))
    assert len(slug(text)) <= 30


@given(_PEOPLE, _PEOPLE)
def test_slug_when_texts_differ_then_slugs_do(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@given(_PEOPLE, st.one_of(st.just(""), _PEOPLE))
def test_service_name_when_made_then_is_a_label_of_dns(user: str, server: str) -> None:
    name = service_name("labyard-hub", user, server, "0a1f")
    assert len(name) <= LONGEST
    assert _LABEL.match(name)


def test_service_name_when_people_share_their_first_letters_then_differs() -> None:
    people = [f"{'professor-' * 6}{number}" for number in range(50)]
    assert len({service_name("labyard-hub", person, "a" * 60, "0a1f") for person in people}) == 50


def test_volume_name_when_user_has_dots_then_is_no_path() -> None:
    assert "/" not in volume_name("homes-{user}", "../../root")
    assert volume_name("/srv/homes/{user}", "ada") == "/srv/homes/ada"
