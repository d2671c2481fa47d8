"""The guard ends runs whose lease is not renewed; the lifeline ends those whose worker is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labyard.runs.guard import LeaseGuard
from labyard.runs.lifeline import lifeline_broke, throw_lifeline
from labyard.runs.process import RunProcess
from labyard.runs.start_time import start_time
from tests.conftest import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Iterator[tuple[RunProcess, subprocess.Popen[bytes]]]:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", str(tmp_path)], start_new_session=True
    )
    yield RunProcess(child.pid, start_time(child.pid)), child
    child.kill()
    child.wait()


Started = tuple[RunProcess, subprocess.Popen[bytes]]


def test_run_when_its_lease_is_not_renewed_then_is_ended(run: Started, tmp_path: Path) -> None:
    process, child = run
    guard = LeaseGuard(give_up=0.0)
    held = guard.hold(process, tmp_path)
    wait_until(lambda: child.poll() is not None, 30, "the run has ended")
    assert held.given_up


def test_run_when_its_lease_is_renewed_then_goes_on(run: Started, tmp_path: Path) -> None:
    process, child = run
    guard = LeaseGuard(give_up=3600)
    held = guard.hold(process, tmp_path)
    held.renewed -= 3601
    held.renew(held.asking())
    guard.look()
    assert not held.given_up
    assert child.poll() is None


def test_renewal_when_it_was_asked_for_long_ago_then_counts_from_then_on(
    run: Started, tmp_path: Path
) -> None:
    guard = LeaseGuard(give_up=3600)
    held = guard.hold(run[0], tmp_path)
    asked = held.asking() - 7200
    held.renewed = asked - 1
    held.renew(asked)
    guard.look()
    assert held.given_up


def test_run_when_somebody_else_holds_it_then_is_left_to_them(run: Started, tmp_path: Path) -> None:
    process, child = run
    guard = LeaseGuard(give_up=3600)
    former, present = guard.hold(process, tmp_path), guard.hold(process, tmp_path)
    former.renewed -= 7200
    guard.release(former)
    guard.look()
    assert not former.given_up
    assert not present.given_up
    assert child.poll() is None


def test_lifeline_when_there_is_none_then_never_breaks(tmp_path: Path) -> None:
    assert not lifeline_broke(tmp_path)


def test_lifeline_when_its_time_is_over_then_breaks_until_it_is_thrown_again(tmp_path: Path) -> None:
    throw_lifeline(tmp_path, -1)
    assert lifeline_broke(tmp_path)
    throw_lifeline(tmp_path, 60)
    assert not lifeline_broke(tmp_path)
    assert (tmp_path / "lifeline").stat().st_mode & 0o777 == 0o600
