"""Reading a run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labyard.artifacts.events import EventTail, event_text, read_events
from labyard.artifacts.outcome import read_outcome
from labyard.runs.ident import EVENTS

RESULT = {"services": [], "endpoints": [], "health": "running", "message": "It runs."}


def make_event(counter: int, event: str = "verbose", **about: Any) -> dict[str, Any]:
    return {
        "counter": counter,
        "event": event,
        "stdout": "",
        "created": f"2026-01-01T00:00:{counter:02d}.000000+00:00",
        "event_data": {},
        **about,
    }


def make_folder(
    tmp_path: Path, *events: dict[str, Any], rc: str | None = "0", status: str | None = "successful"
) -> Path:
    if events:
        lines = "".join(f"{json.dumps(event)}\n" for event in events)
        (tmp_path / EVENTS).write_text(lines, encoding="utf-8")
    for name, text in (("rc", rc), ("status", status)):
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def stats(counter: int, result: Any = RESULT) -> dict[str, Any]:
    data = {"artifact_data": {"labyard_result": result}} if result is not None else {}
    return make_event(counter, "playbook_on_stats", event_data=data)


def failure(counter: int, **res: Any) -> dict[str, Any]:
    data = {"task": "notebook : Start it", "res": res}
    return make_event(counter, "runner_on_failed", event_data=data)


def test_run_with_a_result_has_succeeded(tmp_path: Path) -> None:
    outcome = read_outcome(make_folder(tmp_path, make_event(1), stats(2)))
    assert outcome.succeeded
    assert outcome.result == RESULT
    assert (outcome.exit_code, outcome.error, outcome.lost_events) == (0, "", 0)


def test_run_without_a_result_has_failed_and_says_so(tmp_path: Path) -> None:
    outcome = read_outcome(make_folder(tmp_path, stats(1, None)))
    assert not outcome.succeeded
    assert "without a result" in outcome.error


@pytest.mark.parametrize(("rc", "status"), [(None, None), ("0", None), (None, "successful"), ("", "")])
def test_run_that_was_cut_off_is_not_finished(tmp_path: Path, rc: str | None, status: str | None) -> None:
    outcome = read_outcome(make_folder(tmp_path, stats(1), rc=rc, status=status))
    assert not outcome.finished
    assert not outcome.succeeded
    assert "cut off" in outcome.error


def test_play_when_one_of_its_own_processes_was_killed_then_it_was_cut_off(tmp_path: Path) -> None:
    dead = make_event(2, "error", stdout="[ERROR]: A worker was found in a dead state\n")
    outcome = read_outcome(make_folder(tmp_path, make_event(1), dead, rc="1", status="failed"))
    assert not outcome.finished
    assert "cut off" in outcome.error


def test_run_that_left_nothing_at_all_is_not_finished(tmp_path: Path) -> None:
    assert not read_outcome(tmp_path / "nowhere").finished


def test_cause_is_that_of_the_last_failed_task(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path,
        failure(1, msg="first"),
        failure(2, msg="No node has 64 GiB of memory."),
        stats(3, None),
        rc="2",
        status="failed",
    )
    outcome = read_outcome(folder)
    assert outcome.error == "No node has 64 GiB of memory."
    assert outcome.failed_task == "Start it"


def test_failure_that_was_ignored_is_no_cause(tmp_path: Path) -> None:
    ignored = failure(2, msg="never mind")
    ignored["event_data"]["ignore_errors"] = True
    folder = make_folder(tmp_path, failure(1, msg="the cause"), ignored, rc="2", status="failed")
    assert read_outcome(folder).error == "the cause"


@pytest.mark.parametrize(
    ("res", "words"),
    [
        ({"msg": "It broke.\nTraceback (most recent call last):\n  File x"}, "It broke."),
        ({"msg": "Traceback (most recent call last):\n  File x"}, "An unexpected error"),
        ({"censored": "hidden"}, "its output is hidden"),
        ({}, "gave no reason"),
        ({"msg": "one item", "results": [{"failed": True, "msg": "the item's cause"}]}, "the item's cause"),
        ({"msg": "x" * 5000}, "..."),
    ],
)
def test_cause_is_one_paragraph_without_a_trace_back(tmp_path: Path, res: dict[str, Any], words: str) -> None:
    error = read_outcome(make_folder(tmp_path, failure(1, **res), rc="2", status="failed")).error
    assert words in error
    assert "Traceback" not in error
    assert "\n" not in error
    assert len(error) <= 1000


def test_error_before_the_first_task_is_the_cause(tmp_path: Path) -> None:
    broken = make_event(1, "error", stdout="\x1b[0;31m[ERROR]: couldn't resolve module 'x'.\x1b[0m")
    outcome = read_outcome(make_folder(tmp_path, broken, stats(2, None), rc="4", status="failed"))
    assert outcome.error == "couldn't resolve module 'x'."


def test_play_that_never_started_is_explained_by_what_ansible_printed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, rc="1", status="failed")
    (folder / "stdout").write_text("ERROR! the playbook could not be found\n", encoding="utf-8")
    assert "the playbook could not be found" in read_outcome(folder).error


def test_missing_events_are_counted(tmp_path: Path) -> None:
    assert read_outcome(make_folder(tmp_path, make_event(1), stats(4))).lost_events == 2


def test_events_come_after_the_counter_asked_for(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, *(make_event(n) for n in (1, 2, 9, 10)))
    assert [e["counter"] for e in read_events(folder, 1)] == [2, 9, 10]


def test_half_a_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, make_event(1))
    tail = EventTail(folder)
    line = json.dumps(make_event(2)).encode()
    with (folder / EVENTS).open("ab", buffering=0) as file:
        file.write(line[:20])
        assert [e["counter"] for e in tail.look()] == [1]
        assert tail.look() == []
        file.write(line[20:] + b"\n")
        assert [e["counter"] for e in tail.look()] == [2]


def test_line_that_a_full_disk_cut_off_is_lost_and_counted(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, make_event(1))
    with (folder / EVENTS).open("a", encoding="utf-8") as file:
        file.write('{"counter": 2, "ev\n' + json.dumps(stats(3)) + "\n")
    assert [e["counter"] for e in read_events(folder)] == [1, 3]
    assert read_outcome(folder).lost_events == 1


def test_no_file_has_no_events(tmp_path: Path) -> None:
    assert EventTail(tmp_path).look() == []


def test_event_text_has_no_colours() -> None:
    assert event_text({"stdout": "\x1b[0;32mok: [localhost]\x1b[0m\r\n"}) == "ok: [localhost]"


def test_event_text_is_what_every_database_takes() -> None:
    assert event_text({"stdout": "a\0b\udcffc"}) == "ab?c"
