"""A run from its folder to its artifacts: events, secrets, failures, its end on request. Real plays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from labyard.artifacts.events import event_text, read_events
from labyard.runs.lifeline import throw_lifeline
from labyard.runs.process import end_leftovers, end_process, start_process
from labyard.runs.redact import MARK
from tests.conftest import wait_until
from tests.unit.runs.plays import (
    RESULT,
    SECRET,
    PreparedRun,
    command_lines_below,
    play_environment,
    prepare_run,
    processes_of,
    wait_for_end,
)

Tasks = list[dict[str, object]]


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test leaves running is ended."""
    yield
    end_leftovers(tmp_path)


def carry_out(place: Path, tasks: Tasks | None) -> PreparedRun:
    """The run of `tasks`, ended."""
    run = prepare_run(place, "run", tasks)
    started, child = start_process(run.folder, play_environment(place))
    wait_until(lambda: child is None or child.poll() is not None, 60, "the run ended")
    wait_for_end(started)
    return run


def test_good_run_leaves_result_and_complete_events(tmp_path: Path) -> None:
    run = carry_out(tmp_path, [{"name": "Say it", "ansible.builtin.debug": {"msg": "hello"}}])
    outcome = run.outcome()
    assert outcome.succeeded, run.text()
    assert outcome.result == RESULT
    assert outcome.lost_events == 0
    events = list(read_events(run.artifacts))
    assert [e["counter"] for e in events] == list(range(1, len(events) + 1))
    kinds = [e["event"] for e in events]
    assert kinds[0] == "playbook_on_play_start"
    assert kinds[-1] == "playbook_on_stats"
    said = next(e for e in events if e["event"] == "runner_on_ok")
    assert said["event_data"]["task"] == "Say it"
    assert said["event_data"]["res"]["msg"] == "hello"
    assert event_text(said).startswith("ok: [localhost] => ")


def test_secret_that_a_play_prints_is_in_no_file(tmp_path: Path) -> None:
    tasks: Tasks = [
        {"name": "Say it", "ansible.builtin.debug": {"msg": f"the token is {SECRET}"}},
        {"name": "Say it in a loop", "ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": [SECRET]},
        {"name": "Warn of it", "ansible.builtin.fail": {"msg": SECRET}, "ignore_errors": True},
    ]
    run = carry_out(tmp_path, tasks)
    assert run.outcome().succeeded, run.text()
    (run.folder / "play.yml").unlink()  # where the test itself wrote it
    assert SECRET not in run.text()
    assert MARK in run.text()


def test_secret_in_an_error_before_the_play_is_in_no_file(tmp_path: Path) -> None:
    run = carry_out(tmp_path, [{f"no_{SECRET}": 1}])
    (run.folder / "play.yml").unlink()
    assert SECRET not in run.text()
    assert "ERROR" in (run.artifacts / "stdout").read_text(encoding="utf-8")


def test_hidden_result_stays_hidden(tmp_path: Path) -> None:
    hidden = {"name": "Hide", "ansible.builtin.debug": {"msg": "what nobody sees"}, "no_log": True}
    run = carry_out(tmp_path, [hidden])
    assert run.outcome().succeeded, run.text()
    assert "what nobody sees" not in (run.artifacts / "events.jsonl").read_text(encoding="utf-8")


def test_failed_task_is_the_cause(tmp_path: Path) -> None:
    run = carry_out(tmp_path, [{"name": "Break", "ansible.builtin.fail": {"msg": "No node has room."}}])
    outcome = run.outcome()
    assert (outcome.finished, outcome.succeeded, outcome.exit_code) == (True, False, 2)
    assert (outcome.failed_task, outcome.error) == ("Break", "No node has room.")


def test_playbook_that_is_not_there_is_the_cause(tmp_path: Path) -> None:
    run = carry_out(tmp_path, None)
    assert "could not be found" in run.outcome().error, run.text()


def test_options_of_the_job_reach_ansible(tmp_path: Path) -> None:
    touch = {"path": str(tmp_path / "made"), "state": "touch"}
    run = prepare_run(tmp_path, "run", [{"name": "Make", "ansible.builtin.file": touch}])
    job = json.loads((run.folder / "job.json").read_text(encoding="utf-8"))
    (run.folder / "job.json").write_text(json.dumps({**job, "options": ["--check"]}), encoding="utf-8")
    started, child = start_process(run.folder, play_environment(tmp_path))
    wait_until(lambda: child is None or child.poll() is not None, 60, "the run ended")
    wait_for_end(started)
    assert run.outcome().finished, run.text()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("program", [["sleep", "600"], ["bash", "-c", "trap '' TERM; sleep 600; sleep 600"]])
def test_run_that_is_asked_to_end_leaves_no_process(tmp_path: Path, program: list[str]) -> None:
    run = prepare_run(tmp_path, "run", [{"name": "Sleep", "ansible.builtin.command": {"argv": program}}])
    started, child = start_process(run.folder, play_environment(tmp_path))
    assert child is not None
    process = started.find()
    assert process is not None
    wait_until(
        lambda: ["sleep", "600"] in command_lines_below(process),
        60,
        f"the play sleeps: {run.text()}",
    )
    family = process.children(recursive=True)
    end_process(started)
    child.wait()
    assert not [p for p in family if p.is_running() and p.status() != "zombie"]
    assert not processes_of(run.folder)
    assert not run.outcome().succeeded


def test_run_that_outlives_its_lease_ends_by_itself(tmp_path: Path) -> None:
    stubborn = ["bash", "-c", "trap '' TERM; sleep 600; sleep 600"]
    run = prepare_run(tmp_path, "run", [{"name": "Sleep", "ansible.builtin.command": {"argv": stubborn}}])
    throw_lifeline(run.folder, -1)
    started, child = start_process(run.folder, play_environment(tmp_path))
    assert child is not None
    wait_until(lambda: child.poll() is not None, 60, f"the run ended: {run.text()}")
    assert started.find() is None
    assert not processes_of(run.folder)
    assert not run.outcome().succeeded
