"""Convergence and reasons, judged from what the engine says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.tasks import running_of
from ansible_collections.labyard.platform.plugins.module_utils._stack.watch import Limits, Look, Watch
from tests.unit.stack.stack_builders import service, task

NAME = "shop_web"


def look(watch: Watch, of: dict[str, Any], *tasks: dict[str, Any], now: float = 0) -> Look:
    return watch.look({NAME: of}, list(tasks), now)


def new_watch(**limits: Any) -> Watch:
    return Watch([NAME], Limits(**limits), touched=[NAME])


def with_policy(**policy: Any) -> dict[str, Any]:
    return service(TaskTemplate={"ContainerSpec": {"Image": "app:1"}, "RestartPolicy": policy})


def test_fresh_service_then_converged_after_the_hold() -> None:
    watch, web = new_watch(hold=1), service()
    assert not look(watch, web, task(web, "preparing"), now=0).converged
    assert not look(watch, web, task(web), now=1).converged
    assert not look(watch, web, task(web), now=1.9).converged
    assert look(watch, web, task(web), now=2).converged


def test_hold_starts_anew_when_a_task_stops_running() -> None:
    watch, web = new_watch(hold=1), service()
    look(watch, web, task(web), now=0)
    look(watch, web, task(web, "failed", 1, exit_code=1), task(web, "ready", 2), now=0.5)
    assert not look(watch, web, task(web, "failed", 1, exit_code=1), task(web, number=2), now=1).converged


def test_next_settling_then_when_the_first_hold_is_over() -> None:
    watch, web = new_watch(hold=1), service()
    assert watch.next_settling(0) == math.inf
    look(watch, web, task(web), now=5)
    assert watch.next_settling(5.25) == 0.75
    assert watch.next_settling(7) == math.inf


def test_running_of_then_without_tasks_that_are_being_stopped() -> None:
    status = {"RunningTasks": 4, "DesiredTasks": 2}
    assert running_of({**service(), "ServiceStatus": status}) == 2
    job = service(Mode={"ReplicatedJob": {"TotalCompletions": 2}})
    assert running_of({**job, "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 0}}) == 1


def test_health_check_then_no_hold() -> None:
    web = service(TaskTemplate={"ContainerSpec": {"Image": "a", "Healthcheck": {"Test": ["CMD", "x"]}}})
    assert not look(new_watch(), web, task(web, "starting")).converged
    assert look(new_watch(), web, task(web)).converged


def test_untouched_service_that_runs_then_converged_at_once() -> None:
    web = service()
    assert look(Watch([NAME]), web, task(web)).converged


def test_update_then_former_tasks_must_be_replaced() -> None:
    watch, old, new = (
        new_watch(hold=0),
        service(),
        service(TaskTemplate={"ContainerSpec": {"Image": "app:2"}}),
    )
    assert not look(watch, new, task(old)).converged
    assert not look(watch, new, task(old), task(new, number=2, slot=2)).converged
    assert look(watch, new, task(old, wanted="shutdown"), task(new, number=2)).converged


def test_scaled_to_nothing_then_tasks_must_be_gone() -> None:
    watch, web = new_watch(), service(Mode={"Replicated": {"Replicas": 0}})
    assert not look(watch, web, task(web)).converged
    assert not look(watch, web, task(web, wanted="remove")).converged
    assert look(watch, web, task(web, "shutdown")).converged
    assert look(watch, web).converged


def test_placement_alone_then_same_task() -> None:
    web = service()
    moved = service(TaskTemplate={**web["Spec"]["TaskTemplate"], "Placement": {"Constraints": ["a==b"]}})
    assert look(new_watch(hold=0), moved, task(web)).converged


@pytest.mark.parametrize(("condition", "converged"), [("none", True), ("on-failure", True), ("any", False)])
def test_one_shot_that_ended_well_then_converged_unless_it_restarts(condition: str, converged: bool) -> None:
    web = with_policy(Condition=condition)
    assert look(new_watch(hold=0), web, task(web, "complete", exit_code=0)).converged is converged


def test_job_then_converged_when_all_completed() -> None:
    job = service(Mode={"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 2}})
    job["JobStatus"] = {"JobIteration": {"Index": 1}}
    first = {**task(job, "complete", 1, exit_code=0), "JobIteration": {"Index": 1}}
    second = {**task(job, "complete", 2, slot=2, exit_code=0), "JobIteration": {"Index": 1}}
    former = {**task(job, "complete", 3, slot=2, exit_code=0), "JobIteration": {"Index": 0}}
    assert not look(new_watch(), job, first, former).converged
    assert look(new_watch(), job, first, second).converged


def test_monitor_asked_for_then_update_is_over_when_the_engine_says_so() -> None:
    config = {"UpdateConfig": {"Monitor": 5 * 10**9}}
    going, done = (
        service(update={"State": "updating"}, **config),
        service(update={"State": "completed"}, **config),
    )
    watch = new_watch(hold=0)
    assert not look(watch, going, task(going)).converged
    assert look(watch, done, task(done)).converged


def test_crash_loop_then_failed_after_the_third() -> None:
    watch, web = new_watch(), service()
    crashes = [
        task(web, "failed", number, error="task: non-zero exit (3)", exit_code=3) for number in (1, 2, 3)
    ]
    assert not look(watch, web, crashes[0]).failed
    assert not look(watch, web, *crashes[:2]).failed
    # the swarm has forgotten the first meanwhile
    (reason,) = look(watch, web, *crashes[1:]).failed
    assert reason.cause == "crash_loop"
    assert (
        reason.message == f"Service {NAME} ends with exit code 3 again and again; see its log for the cause."
    )
    assert reason.exit_code == 3


def test_crashes_of_different_slots_are_not_added_up() -> None:
    watch, web = new_watch(), service(Mode={"Replicated": {"Replicas": 3}})
    crashes = [task(web, "failed", slot, slot=slot, exit_code=1) for slot in (1, 2, 3)]
    assert not look(watch, web, *crashes).failed


def test_exit_zero_again_and_again_then_crash_loop() -> None:
    watch, web = new_watch(), service()
    (reason,) = look(watch, web, *(task(web, "complete", n, exit_code=0) for n in (1, 2, 3))).failed
    assert reason.message.startswith(f"Service {NAME} ends with exit code 0 again and again")


def test_no_restart_then_failed_at_the_first() -> None:
    web = with_policy(Condition="none")
    (reason,) = look(
        new_watch(), web, task(web, "failed", error="task: non-zero exit (2)", exit_code=2)
    ).failed
    assert reason.cause == "ended"
    assert "is not started again" in reason.message


def test_attempts_used_up_then_failed() -> None:
    web = with_policy(Condition="on-failure", MaxAttempts=1)
    first, second = (task(web, "failed", n, error="task: non-zero exit (2)", exit_code=2) for n in (1, 2))
    watch = new_watch(crashes=5)
    assert not look(watch, web, first).failed
    assert look(watch, web, first, second).failed


def test_failures_before_this_call_do_not_count() -> None:
    web = service()
    crashes = [task(web, "failed", n, exit_code=1) for n in (1, 2, 3)]
    assert not look(Watch([NAME]), web, *crashes, task(web, "starting", 4)).failed
    known = Watch([NAME], touched=[NAME], known={"task-1", "task-2", "task-3"})
    assert not look(known, web, *crashes, task(web, "starting", 4)).failed


def test_untouched_service_that_will_not_start_again_then_failed_at_once() -> None:
    web = with_policy(Condition="none")
    assert look(Watch([NAME]), web, task(web, "failed", exit_code=1)).failed


@pytest.mark.parametrize(
    ("state", "error", "cause", "words"),
    [
        (
            "rejected",
            "No such image: app:1",
            "image_missing",
            "the image app:1 is not there; build or load it",
        ),
        (
            "failed",
            'starting container failed: exec: \\"nope\\": executable file not found in $PATH',
            "rejected",
            "its command nope is not in the image",
        ),
        (
            "rejected",
            "invalid mount config: bind source path does not exist: /x",
            "mount_missing",
            "the path /x",
        ),
        (
            "failed",
            "starting container failed: driver failed: listen tcp4 0.0.0.0:81: bind: address already in use",
            "port_taken",
            "its published port 8080 is taken on the node",
        ),
        (
            "failed",
            "task: non-zero exit (143): dockerexec: unhealthy container",
            "unhealthy",
            "health check fails",
        ),
        (
            "failed",
            "starting container failed: strange",
            "rejected",
            "cannot start: starting container failed: strange",
        ),
    ],
)
def test_ended_task_then_cause_in_words(state: str, error: str, cause: str, words: str) -> None:
    web = service(EndpointSpec={"Ports": [{"PublishedPort": 8080}]})
    (reason,) = look(
        new_watch(), web, *(task(web, state, n, error=error, exit_code=1) for n in (1, 2, 3))
    ).failed
    assert reason.cause == cause
    assert words in reason.message


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (
            "no suitable node (insufficient resources on 1 node)",
            "resources",
            "no node has 2048 MiB of memory and 1.5 CPUs",
        ),
        (
            "no suitable node (scheduling constraints not satisfied on 3 nodes)",
            "constraints",
            "(node.role==x)",
        ),
        (
            "no suitable node (host-mode port already in use on 1 node)",
            "port_taken",
            "8080 is taken on every node",
        ),
        ("no suitable node (unsupported platform on 1 node)", "platform", "platform of the image app:1"),
        ("no suitable node (max replicas per node limit exceed)", "constraints", "max_replicas_per_node"),
        ("no suitable node (something new)", "pending", "something new"),
    ],
)
def test_task_without_a_node_then_cause_after_the_grace(error: str, cause: str, words: str) -> None:
    web = service(
        EndpointSpec={"Ports": [{"PublishedPort": 8080}]},
        TaskTemplate={
            "ContainerSpec": {"Image": "app:1"},
            "Resources": {"Reservations": {"MemoryBytes": 2**31, "NanoCPUs": 15 * 10**8}},
            "Placement": {"Constraints": ["node.role==x"]},
        },
    )
    watch, waiting = new_watch(pending_grace=10), task(web, "pending", error=error)
    assert not look(watch, web, waiting, now=0).failed
    assert not look(watch, web, waiting, now=9).failed
    (reason,) = look(watch, web, waiting, now=10).failed
    assert reason.cause == cause
    assert words in reason.message


def test_task_without_a_node_while_its_former_one_stops_then_no_failure() -> None:
    watch, web = new_watch(pending_grace=10), service()
    error = "no suitable node (host-mode port already in use on 1 node)"
    former, waiting = task(web, wanted="shutdown"), task(web, "pending", 2, error=error)
    for now in (0, 20, 40):
        assert not look(watch, web, former, waiting, now=now).failed
    assert not look(watch, web, task(web, "shutdown"), waiting, now=45).failed
    assert look(watch, web, task(web, "shutdown"), waiting, now=55).failed


def test_global_service_without_any_node_then_constraints() -> None:
    web = service(
        Mode={"Global": {}},
        TaskTemplate={"ContainerSpec": {}, "Placement": {"Constraints": ["node.labels.gpu==1"]}},
    )
    watch = new_watch(pending_grace=10)
    node = {"ID": "n1", "Status": {"State": "ready"}}
    assert not watch.look({NAME: web}, [], 0, [node]).failed
    (reason,) = watch.look({NAME: web}, [], 10, [node]).failed
    assert "node.labels.gpu==1" in reason.message


@pytest.mark.parametrize("state", ["paused", "rollback_started", "rollback_completed", "rollback_paused"])
def test_update_that_the_engine_gave_up_then_failed_with_the_cause(state: str) -> None:
    old = service(update={"State": state, "Message": "rolled back due to failure"})
    new = service(TaskTemplate={"ContainerSpec": {"Image": "app:2"}})
    (reason,) = look(new_watch(), old, task(new, "rejected", error="No such image: app:2")).failed
    assert reason.cause == "image_missing"
    assert "rolled back due to failure" in reason.message
    assert "app:2 is not there" in reason.message


def test_service_removed_by_somebody_else_then_failed() -> None:
    assert "removed by somebody else" in new_watch().look({}, [], 0).failed[0].message


@pytest.mark.parametrize(
    ("state", "cause"),
    [("preparing", "pulling"), ("starting", "starting"), ("new", "addresses"), ("pending", "pending")],
)
def test_time_is_over_then_what_it_waits_for(state: str, cause: str) -> None:
    web = service()
    assert new_watch().why_waiting(web, [task(web, state)]).cause == cause
