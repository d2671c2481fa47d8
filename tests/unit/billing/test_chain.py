"""The chain of documents' hashes, and records that come twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.chain import (
    START,
    document_hash,
    verify_chain,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.intake import Intake, Once
from tests.unit.billing.makers import make_record, record_document


def chain(*documents: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    links = []
    previous = START
    for number, document in enumerate(documents, start=1):
        previous = document_hash(document, previous)
        links.append((str(number), document, previous))
    return links


def test_hash_when_keys_stand_in_another_order_then_it_is_the_same() -> None:
    assert document_hash({"a": "1", "b": "ä"}, START) == document_hash({"b": "ä", "a": "1"}, START)
    assert document_hash({"a": "1"}, START) != document_hash({"a": "1"}, "1" * 64)


def test_chain_when_a_document_was_changed_taken_out_or_swapped_then_it_is_said_which() -> None:
    links = chain({"total": "1"}, {"total": "2"}, {"total": "3"})
    assert verify_chain(links) == []
    said = "2: its hash does not fit; it or what is before it was changed"
    assert verify_chain([links[0], ("2", {"total": "9"}, links[1][2]), links[2]]) == [said]
    assert verify_chain([links[0], links[2]]) == [said.replace("2", "3")]
    assert len(verify_chain([links[1], links[0], links[2]])) == 3


def test_record_when_it_comes_again_then_it_is_let_through_once() -> None:
    once = Once()
    assert [once.is_new(make_record(key)) for key in ("1", "2", "1")] == [True, True, False]
    assert not once.is_new(make_record("1", quantity="3600.000"))  # the same number
    assert once.repeated == 2


@pytest.mark.parametrize("change", [{"quantity": "3601"}, {"user": "bob"}, {"details": {"node": "n1"}}])
def test_record_when_it_comes_with_other_content_then_it_is_refused(change: dict[str, Any]) -> None:
    once = Once()
    once.is_new(make_record("1"))
    with pytest.raises(UsageError, match="key: '1' of source 'test' came before with other content"):
        once.is_new(make_record("1", **change))


LINES = """\
{"source": "s", "key": "1", "account": "a", "resource": "cpu", "unit": "core_second", "quantity": 0.1,
"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}

not json
[1]
{"source": "s"}
"""


def test_file_when_lines_are_bad_then_each_is_kept_aside_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_text(LINES.replace(",\n", ", "))
    intake = Intake(strict=False)
    found = list(intake.read([record_document("9"), str(path), {"source": "s"}, 7]))
    assert [place for place, _ in found] == ["usage[0]", f"{path}:1"]
    assert str(found[1][1].quantity) == "0.1"  # a number of JSON is read as it is written
    assert [(place, reason.split(":")[0]) for place, reason in intake.refused] == [
        (f"{path}:3", "is no line of JSON"),
        (f"{path}:4", "is no mapping of a record's fields"),
        (f"{path}:5", "key"),
        ("usage[2]", "key"),
        ("usage[3]", "is no mapping of a record's fields"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", ":1: source: is missing"),
        (b'{"a":\xff}', ":1: is no line of JSON"),
        (b"[" * 100_000, ":1: is no line of JSON"),
        (None, "cannot be read: No such"),
    ],
)
def test_file_when_it_is_bad_and_must_not_be_then_the_first_place_is_said(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "usage.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        list(Intake().read([path]))
