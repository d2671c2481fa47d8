"""Health from what the swarm shows."""

import pytest

from labyard.deployments.health import ServiceView, judge_health
from labyard.models import Health


def view(desired: int, running: int, detail: str = "") -> ServiceView:
    return ServiceView("id", "nb_notebook", "image", desired, running, detail)


@pytest.mark.parametrize(
    ("services", "health"),
    [
        ([], Health.MISSING),
        ([view(1, 1)], Health.RUNNING),
        ([view(0, 0)], Health.STOPPED),
        ([view(1, 0, "task: non-zero exit (1)")], Health.DEGRADED),
        ([view(1, 0)], Health.STOPPED),
        ([view(1, 1), view(2, 1)], Health.DEGRADED),
        ([view(0, 0), view(1, 1)], Health.RUNNING),
    ],
)
def test_health_is_judged_by_tasks_that_run(services: list[ServiceView], health: Health) -> None:
    assert judge_health(services)[0] == health


def test_degraded_health_names_the_service_and_its_error() -> None:
    assert judge_health([view(1, 0, "no suitable node")])[1] == "nb_notebook: 0 of 1 run; no suitable node"
