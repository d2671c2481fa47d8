"""How the platform does: all of it to admins, to others what concerns them."""

from __future__ import annotations

from datetime import timedelta

import pytest

import labyard.status
from labyard.clock import utc_now
from labyard.commands.recent import Recent
from labyard.models import Command, Node, State, User, Worker, db
from labyard.status import Status, Thresholds, find


def status_of(**changes):
    """A platform that does well, but for `changes`."""
    well = {
        "parts": {"database": "ok"},
        "nodes": [node("one", manager="leader")],
        "workers": [],
        "waiting": 0,
        "running": 0,
        "queue_age": 0.0,
        "recent": {},
        "orphans": 0,
        "nodes_age": 10.0,
    }
    return Status(**{**well, **changes})


def node(name, state="ready", manager=""):
    return Node(id=name, hostname=name, state=state, manager=manager, availability="active")


@pytest.fixture
def _no_worker(monkeypatch):
    """No engine is asked."""
    parts = {"database": "ok", "worker": "no worker has been heard of for 30 s", "swarm": "does not answer"}
    monkeypatch.setattr(labyard.status, "check_parts", lambda *_: parts)


def test_findings_when_all_is_well_then_none():
    assert status_of().findings == []
    assert status_of(recent={"install": Recent({"completed": 9, "failed": 1}, (120.0,))}).findings == []


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"parts": {"queue": "does not answer"}}, "critical", "The queue: does not answer."),
        ({"nodes": [node("two", "down")]}, "warning", "The node two is down."),
        ({"nodes": [node("two", "", "leader")]}, "critical", "The manager two is unknown."),
        ({"queue_age": 300.5}, "warning", "waiting for 300 s (more than 300 s)"),
        ({"recent": {"start": Recent({"completed": 11, "timeout": 3})}}, "critical", "3 of 14 commands"),
        ({"recent": {"install": Recent({"completed": 1}, (121.0,))}}, "warning", "takes 121 s or more"),
        ({"orphans": 1}, "warning", "There is one orphan."),
        ({"nodes_age": 121.0}, "warning", "Nobody has looked at the swarm for 121 s."),
    ],
)
def test_finding_when_beyond_its_threshold_then_said_with_what_to_do(changes, level, words):
    (finding,) = status_of(**changes).findings
    assert finding.level == level
    assert words in finding.text
    assert finding.step


@pytest.mark.parametrize(
    ("managers", "away", "told"), [(3, 1, True), (3, 0, False), (5, 1, False), (5, 2, True)]
)
def test_findings_when_managers_are_away_then_the_last_spare_one_is_told(managers, away, told):
    nodes = [node(f"m{n}", manager="unreachable" if n < away else "reachable") for n in range(managers)]
    texts = [finding.text for finding in find(status_of(nodes=nodes), Thresholds())]
    assert any("with one more the swarm takes no changes" in text for text in texts) is told


def test_findings_when_failures_were_cancelled_by_people_then_none():
    assert status_of(recent={"install": Recent({"completed": 1, "cancelled": 9})}).findings == []


@pytest.mark.usefixtures("_no_worker")
def test_status_when_an_admin_looks_then_parts_nodes_workers_and_work_are_there(app, make_person, sign_in):
    with app.app_context():
        now = utc_now()
        db.session.add(node("node-one", "down", "leader"))
        db.session.add(Worker(name="host:1", host="host", concurrency=3, beat_at=now - timedelta(minutes=2)))
        db.session.commit()
    page = sign_in(make_person("root", is_admin=True)).get("/status").text
    for words in (
        "The manager node-one is down.",
        "host:1",
        "Silent",
        "no worker has been heard of",
    ):
        assert words in page


@pytest.mark.usefixtures("_no_worker")
def test_status_when_another_looks_then_only_what_is_theirs_is_there(
    app, maria, make_person, make_plan, make_deployment
):
    make_plan()
    make_person("ben")
    mine = make_deployment("mine", health="degraded", health_detail="No node has 8 GiB free.")
    make_deployment("others", owner="ben", health="missing")
    with app.app_context():
        db.session.add(node("node-one"))
        issuer = db.session.query(User).filter_by(username="maria").one()
        db.session.add(Command(deployment_id=mine, issuer=issuer, phase="update", state=State.INITIATED))
        db.session.commit()
    page = maria.get("/status").text
    assert "No node has 8 GiB free." in page
    assert "It is the next one; it waits for a worker." in page
    assert "does not answer: worker, swarm." in page
    assert "others" not in page
    assert "node-one" not in page
    assert 'href="/status"' in maria.get("/deployments").text
