"""The starter forks runs; runs outlive it, and it does not outlive its worker. Real processes, real plays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from labyard.runs import process
from labyard.runs.ident import TAKEN_JOB
from labyard.runs.process import RunProcess, end_leftovers, end_process, start_process, started_in
from labyard.runs.start_time import start_time
from labyard.runs.starter import Starter
from tests.conftest import wait_until
from tests.unit.runs.plays import play_environment, prepare_run, processes_of, wait_for_end

# A worker that starts one run and then waits to be killed.
WORKER = """
import json, sys, time
from pathlib import Path
from labyard.runs import process
environment = json.loads(sys.argv[2])
process.warm_up(environment)
run, child = process.start_process(Path(sys.argv[1]), environment)
print(json.dumps([process._starter.pid, run.pid, run.started]), flush=True)
time.sleep(600)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of all plays of a test; whatever it leaves running is ended."""
    yield play_environment(tmp_path)
    end_leftovers(tmp_path)


@pytest.fixture
def starter(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """The starter of this process."""
    made = Starter(environment)
    monkeypatch.setattr(process, "_starter", made)
    yield made
    made.close()


def waits_for(pipe: Path) -> dict[str, object]:
    """A task that lasts until somebody writes to `pipe`, which is made."""
    os.mkfifo(pipe)
    return {"name": "Wait", "ansible.builtin.command": {"argv": ["cat", str(pipe)]}}


def is_waiting(folder: Path, pipe: Path) -> bool:
    return bool(processes_of(folder)) and any(
        p.info["cmdline"] == ["cat", str(pipe)] for p in psutil.process_iter(["cmdline"])
    )


def test_run_of_the_starter_comes_to_its_end(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    run = prepare_run(tmp_path, "run", [])
    started, child = start_process(run.folder, environment)
    assert child is None
    wait_for_end(started)
    assert run.outcome().succeeded, run.text()
    assert run.outcome().lost_events == 0


def test_run_is_found_by_its_folder_on_the_command_line(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    run = prepare_run(tmp_path, "run", [waits_for(tmp_path / "pipe")])
    started, _ = start_process(run.folder, environment)
    wait_until(lambda: is_waiting(run.folder, tmp_path / "pipe"), 60, f"the play waits: {run.text()}")
    found = {p.pid for p in processes_of(run.folder)}
    assert started.pid in found
    assert starter.pid is not None
    assert starter.pid not in found
    assert psutil.Process(starter.pid).num_threads() == 1  # a fork of more than that is not whole
    assert started_in(run.folder) == started
    assert os.getsid(started.pid) == started.pid
    end_process(started)
    assert not processes_of(run.folder)


def test_starter_that_is_killed_takes_no_run_with_it_and_is_replaced(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    pipe = tmp_path / "pipe"
    first = prepare_run(tmp_path, "first", [waits_for(pipe)])
    going_on, _ = start_process(first.folder, environment)
    wait_until(lambda: is_waiting(first.folder, pipe), 60, f"the play waits: {first.text()}")
    assert starter.pid is not None
    os.kill(starter.pid, signal.SIGKILL)
    second = prepare_run(tmp_path, "second", [])
    started, child = start_process(second.folder, environment)
    wait_until(lambda: child is None or child.poll() is not None, 60, "the second run ended")
    wait_for_end(started)
    assert second.outcome().succeeded, second.text()
    pipe.write_text("go on", encoding="utf-8")
    wait_for_end(going_on)
    assert first.outcome().succeeded, first.text()


def test_starter_ends_with_its_worker_and_the_run_goes_on(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    pipe = tmp_path / "pipe"
    run = prepare_run(tmp_path, "run", [waits_for(pipe)])
    arguments = [sys.executable, "-c", WORKER, str(run.folder), json.dumps(environment)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        starter_pid, *about = json.loads(worker.stdout.readline())
        started = RunProcess(*about)
        wait_until(lambda: is_waiting(run.folder, pipe), 60, f"the play waits: {run.text()}")
        worker.kill()
    # Nobody may be there to reap it.
    wait_until(
        lambda: not psutil.pid_exists(starter_pid) or psutil.Process(starter_pid).status() == "zombie",
        30,
        "the starter ended",
    )
    assert started.find() is not None
    pipe.write_text("go on", encoding="utf-8")
    wait_for_end(started)
    assert run.outcome().succeeded, run.text()


def test_job_that_was_taken_is_not_done_again(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    run = prepare_run(tmp_path, "run", [])
    mine = RunProcess(os.getpid(), start_time(os.getpid()))
    (run.folder / "job.json").rename(run.folder / TAKEN_JOB.format(pid=mine.pid, started=mine.started))
    started, _ = start_process(run.folder, environment)
    wait_for_end(started)
    assert not run.artifacts.exists()


def test_job_that_a_lost_starter_took_is_not_started_directly(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    run = prepare_run(tmp_path, "run", [])
    no_process = TAKEN_JOB.format(pid=2**22 + 1, started=1.0)
    (run.folder / "job.json").rename(run.folder / no_process)
    started, child = start_process(run.folder, environment)
    assert (started.find(), child) == (None, None)


def test_changed_settings_of_ansible_reach_the_next_play(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    def names_of_next(number: int) -> str:
        run = prepare_run(tmp_path, f"run-{number}", [{"name": "Ask", "ansible.builtin.debug": {"msg": "x"}}])
        started, _ = start_process(run.folder, environment)
        wait_for_end(started)
        assert run.outcome().succeeded, run.text()
        return (run.artifacts / "events.jsonl").read_text(encoding="utf-8")

    assert "ok: [localhost]" in names_of_next(1)
    config = Path(environment["ANSIBLE_CONFIG"])
    config.write_text(config.read_text(encoding="utf-8") + "display_ok_hosts = false\n", encoding="utf-8")
    for number in (2, 3):
        assert "ok: [localhost]" not in names_of_next(number)


def test_play_with_settings_of_its_own_gets_them(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    tasks = tmp_path / "roles" / "fetched" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("[{ansible.builtin.debug: {msg: found}}]", encoding="utf-8")
    role = {"name": "Use it", "ansible.builtin.include_role": {"name": "fetched"}}
    run = prepare_run(tmp_path, "run", [role])
    started, _ = start_process(run.folder, {**environment, "ANSIBLE_ROLES_PATH": str(tmp_path / "roles")})
    wait_for_end(started)
    assert run.outcome().succeeded, run.text()


def test_leftovers_of_a_killed_run_are_ended_in_sessions_of_their_own_too(
    starter: Starter, tmp_path: Path, environment: dict[str, str]
) -> None:
    pipe = tmp_path / "pipe"
    run = prepare_run(tmp_path, "run", [waits_for(pipe)])
    start_process(run.folder, environment)
    wait_until(lambda: is_waiting(run.folder, pipe), 60, f"the play waits: {run.text()}")
    for member in processes_of(run.folder):  # all but the program that the play has started
        member.kill()
    end_leftovers(run.folder)
    assert not is_waiting(run.folder, pipe)
    assert not any(p.info["cmdline"] == ["cat", str(pipe)] for p in psutil.process_iter(["cmdline"]))
