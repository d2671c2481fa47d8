"""Tickets and passes, the origins that requests come from, and verdicts that are remembered."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from labyard.edge.origins import Incoming, comes_from_elsewhere, read_incoming
from labyard.edge.passes import (
    PASS_SECONDS,
    TICKET_SECONDS,
    Pass,
    Signer,
    Ticket,
    hash_knock,
    is_knock,
    make_knock,
)
from labyard.edge.verdicts import REMEMBERED_SECONDS, Verdict, Verdicts
from labyard.edge.ways import Way

ENTRY = Pass("abcd1234", 7, 2)
KNOCK = "k" * 32
TICKET = Ticket(ENTRY, hash_knock(KNOCK), "/lab?x=1")
SIGNER = Signer("a key")
OWN = "https://abcd1234.apps.example.org"
OPENED = Incoming("GET", "/lab", "", "none", "navigate", "document", "text/html", False)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> object:
    """Moves the clock that itsdangerous reads."""

    def move(seconds: float) -> None:
        now = time.time() + seconds
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now)

    return move


def test_pass_when_signed_then_reads_back_until_it_is_too_old(later) -> None:
    signed = SIGNER.sign_pass(ENTRY)
    assert SIGNER.read_pass(signed) == ENTRY
    later(PASS_SECONDS - 5)
    assert SIGNER.read_pass(signed) == ENTRY
    later(PASS_SECONDS + 5)
    assert SIGNER.read_pass(signed) is None


@pytest.mark.parametrize("text", ["", "x", "W10.x.y", "ä"])
def test_pass_when_it_is_none_of_ours_then_is_none(text: str) -> None:
    assert SIGNER.read_pass(text) is None


def test_pass_when_it_is_a_ticket_or_anothers_then_is_none() -> None:
    assert SIGNER.read_pass(SIGNER.sign_ticket(TICKET)) is None
    assert SIGNER.read_pass(Signer("other").sign_pass(ENTRY)) is None


def test_ticket_when_signed_then_reads_back_until_it_is_too_old(later) -> None:
    signed = SIGNER.sign_ticket(TICKET)
    assert SIGNER.read_ticket(signed, "abcd1234", KNOCK) == TICKET
    later(TICKET_SECONDS + 2)
    assert SIGNER.read_ticket(signed, "abcd1234", KNOCK) is None


@pytest.mark.parametrize(
    ("deployment", "knock"),
    [("abcd1235", KNOCK), ("", KNOCK), ("abcd1234", "x" * 32), ("abcd1234", ""), ("abcd1234", "k" * 31)],
)
def test_ticket_when_meant_for_another_deployment_or_browser_then_is_none(
    deployment: str, knock: str
) -> None:
    assert SIGNER.read_ticket(SIGNER.sign_ticket(TICKET), deployment, knock) is None


def test_ticket_when_a_pass_is_shown_for_one_then_is_none() -> None:
    assert SIGNER.read_ticket(SIGNER.sign_pass(ENTRY), "abcd1234", KNOCK) is None


def test_ticket_when_made_for_no_knock_then_no_browser_can_use_it() -> None:
    signed = SIGNER.sign_ticket(replace(TICKET, knock=""))
    assert SIGNER.read_ticket(signed, "abcd1234", "") is None
    assert (
        SIGNER.read_ticket(SIGNER.sign_ticket(replace(TICKET, knock=hash_knock(""))), "abcd1234", "") is None
    )


def test_knock_when_made_then_is_known_as_one_and_never_the_same() -> None:
    assert is_knock(make_knock())
    assert make_knock() != make_knock()


@pytest.mark.parametrize(
    ("changes", "elsewhere"),
    [
        ({}, False),
        ({"site": "cross-site"}, False),  # a link
        ({"site": "cross-site", "dest": "iframe"}, True),
        ({"site": "same-site", "dest": "object"}, True),
        ({"site": "same-origin", "mode": "cors", "dest": "empty"}, False),
        ({"site": "same-site", "mode": "cors", "dest": "empty"}, True),
        ({"site": "same-site", "mode": "no-cors", "dest": "script"}, True),
        ({"method": "POST", "origin": OWN, "site": "same-origin"}, False),
        ({"method": "POST", "origin": "null", "site": "cross-site"}, True),
        ({"method": "POST", "site": "same-site"}, True),
        ({"method": "DELETE", "origin": "https://abcd1235.apps.example.org", "site": ""}, True),
        (
            {"method": "POST", "site": "", "mode": "", "dest": ""},
            False,
        ),  # a program, or an old browser's form
        ({"is_upgrade": True, "mode": "websocket", "origin": OWN, "site": "same-origin"}, False),
        ({"is_upgrade": True, "mode": "", "origin": "https://evil.example", "site": ""}, True),
        ({"is_upgrade": True, "site": "cross-site"}, True),
        ({"origin": f"{OWN}:444"}, True),
        ({"origin": OWN.replace("https", "http")}, True),
    ],
)
def test_request_when_a_page_of_another_origin_makes_it_then_it_comes_from_elsewhere(
    changes: dict[str, object], elsewhere: bool
) -> None:
    assert comes_from_elsewhere(replace(OPENED, **changes), OWN) is elsewhere


@pytest.mark.parametrize(
    ("changes", "navigates"),
    [
        ({}, True),
        ({"mode": "", "accept": "text/html,*/*"}, True),
        ({"mode": "", "accept": "*/*"}, False),
        ({"mode": "cors"}, False),
        ({"method": "POST"}, False),
        ({"is_upgrade": True}, False),
    ],
)
def test_request_when_a_person_looks_at_the_answer_then_it_is_a_navigation(
    changes: dict[str, object], navigates: bool
) -> None:
    assert replace(OPENED, **changes).is_navigation is navigates


def test_incoming_when_headers_are_missing_then_is_empty_there() -> None:
    assert read_incoming({}.get) == Incoming("", "/", "", "", "", "", "", False)


def test_verdict_when_good_then_is_remembered_for_some_seconds_and_not_for_longer() -> None:
    now = [100.0]
    kept, good = Verdicts(lambda: now[0]), Verdict(200, Way("x:1"))
    kept.keep("abcd1234", "cookie", good)
    now[0] += REMEMBERED_SECONDS - 0.1
    assert kept.recall("abcd1234", "cookie") == good
    assert kept.recall("abcd1234", "another") is None
    assert kept.recall("abcd1235", "cookie") is None
    now[0] += 0.2
    assert kept.recall("abcd1234", "cookie") is None


def test_verdict_when_it_is_a_refusal_then_is_not_remembered() -> None:
    kept = Verdicts()
    kept.keep("abcd1234", "cookie", Verdict(503, words="It does not run."))
    assert kept.recall("abcd1234", "cookie") is None


def test_way_when_shown_then_its_secret_is_not() -> None:
    assert "s3cret" not in repr(Verdict(200, Way("x:1", "Bearer s3cret")))
