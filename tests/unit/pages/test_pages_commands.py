"""The live page of a command."""

from __future__ import annotations

import pytest

from labyard.models import Command, Event, Run, State, db


@pytest.fixture
def plan(make_plan):
    return make_plan()


@pytest.fixture
def running(plan, maria, make_deployment, make_command):
    deployment = make_deployment("demo", state=State.PENDING, services=[], endpoints=[], health="unknown")
    return make_command(deployment)


def test_page_when_it_runs_then_shows_steps_progress_and_a_way_to_cancel(maria, running):
    page = maria.get(f"/commands/{running}").text
    assert "<h1>Launch demo</h1>" in page
    assert 'role="progressbar"' in page
    assert 'aria-valuenow="0"' in page
    assert page.count('class="step"') == 3
    assert f'action="/commands/{running}/cancel"' in page
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page


def test_cancel_when_it_runs_then_the_worker_is_asked_to_stop_it(app, maria, running):
    answer = maria.post(f"/commands/{running}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/commands/{running}")
    with app.app_context():
        assert db.session.get_one(Command, running).cancel_requested
    assert "Being cancelled" in maria.get(f"/commands/{running}").text


def test_cancel_when_it_has_ended_then_says_so(maria, plan, make_deployment, make_command):
    command = make_command(make_deployment(), state=State.COMPLETED)
    answer = maria.post(f"/commands/{command}/cancel", follow_redirects=True)
    assert "has ended already" in answer.text


def test_page_when_it_succeeded_then_leads_into_the_deployment(maria, plan, make_deployment, make_command):
    deployment = make_deployment("demo")
    page = maria.get(f"/commands/{make_command(deployment, state=State.COMPLETED, message='It runs.')}").text
    assert "It runs." in page
    assert "Open JupyterLab" in page
    assert f'href="/deployments/{deployment}/open"' in page
    assert "refresh" not in page


def test_page_when_it_failed_then_says_why_what_is_left_and_offers_a_retry(
    maria, plan, make_deployment, make_command
):
    deployment = make_deployment("demo", state=State.FAILED, services=[], endpoints=[], health="missing")
    command = make_command(
        deployment, state=State.FAILED, reason="failed", message="No node has 512 GiB of memory free."
    )
    page = maria.get(f"/commands/{command}").text
    assert "No node has 512 GiB of memory free." in page
    assert "no service of it" in page
    assert f'action="/commands/{command}/retry"' in page
    assert "Open JupyterLab" not in page


def test_page_when_a_later_command_exists_then_speaks_no_more_of_what_is_left(
    maria, plan, make_deployment, make_command
):
    deployment = make_deployment()
    first = make_command(deployment, state=State.FAILED, reason="failed")
    make_command(deployment, phase="check", state=State.COMPLETED)
    page = maria.get(f"/commands/{first}").text
    assert "/retry" not in page
    assert "Still on the swarm" not in page


def test_retry_when_it_failed_then_asks_for_the_same_again(app, maria, plan, make_deployment, make_command):
    deployment = make_deployment("demo", state=State.FAILED, services=[], health="missing")
    params = {"memory_limit": 2048, "environment": {"A": "{{ 6 * 7 }}"}, "image_prefix": "labyard"}
    command = make_command(deployment, state=State.FAILED, reason="failed", params=params)
    answer = maria.post(f"/commands/{command}/retry")
    assert answer.status_code == 303
    with app.app_context():
        again = db.session.query(Command).filter(Command.id != command).one()
        assert answer.location == f"/commands/{again.id}"
        assert again.params["memory_limit"] == 2048
        assert again.params["environment"] == {"A": "{{ 6 * 7 }}"}


def test_log_when_asked_for_without_scripts_then_is_in_the_page_as_text(app, maria, running):
    with app.app_context():
        run = Run(command_id=running, fence=1, folder="x")
        db.session.add(run)
        db.session.flush()
        text = "ok: <script>alert(1)</script> {{ 6 * 7 }}"
        db.session.add(Event(command_id=running, run_id=run.id, counter=1, kind="runner_on_ok", text=text))
        db.session.commit()
    page = maria.get(f"/commands/{running}?log=1").text
    assert "ok: &lt;script&gt;alert(1)&lt;/script&gt; {{ 6 * 7 }}" in page
    assert "alert(1)" not in maria.get(f"/commands/{running}").text


def test_page_when_the_command_waits_then_says_at_which_place_and_why(
    maria, plan, make_deployment, make_command
):
    make_command(make_deployment("first"), state=State.INITIATED)
    second = make_command(make_deployment("second"), state=State.INITIATED)
    page = maria.get(f"/commands/{second}").text
    assert "one command goes before it" in page
    assert "Number 2 in the queue" in page


def test_page_when_it_was_a_preview_then_shows_what_would_change_and_applies_it(
    app, maria, plan, make_deployment, make_command
):
    deployment = make_deployment("demo", params={"cpu_limit": 1.0})
    difference = [{"object": "service <b>", "before": "image: one", "after": "image: two"}]
    command = make_command(
        deployment,
        "update",
        state=State.COMPLETED,
        check_only=True,
        difference=difference,
        params={"cpu_limit": 2.0, "image_prefix": "labyard"},
    )
    page = maria.get(f"/commands/{command}").text
    assert "What would change" in page
    assert "service &lt;b&gt;" in page
    assert "<del>-image: one</del>" in page
    assert "<ins>+image: two</ins>" in page
    answer = maria.post(f"/commands/{command}/apply")
    assert answer.status_code == 303
    with app.app_context():
        applied = db.session.query(Command).filter(Command.id != command).one()
        assert (applied.phase, applied.check_only, applied.params["cpu_limit"]) == ("update", False, 2.0)


def test_apply_when_it_was_no_preview_then_there_is_nothing_to_apply(
    maria, plan, make_deployment, make_command
):
    command = make_command(make_deployment(), "update", state=State.COMPLETED)
    assert maria.post(f"/commands/{command}/apply").status_code == 404


def test_page_when_it_repeats_another_then_shows_what_was_done_before(
    maria, plan, make_deployment, make_command
):
    deployment = make_deployment()
    first = make_command(deployment, state=State.FAILED, reason="failed")
    again = make_command(deployment, state=State.PENDING, retry_of=first, steps_done=["Step 0"])
    page = maria.get(f"/commands/{again}").text
    assert f'href="/commands/{first}"' in page
    assert page.count("done before") == 1
    assert "Left out, because an earlier run had done it: Step 0." in page
    assert "an earlier run" not in maria.get(f"/commands/{first}").text


def test_page_when_the_configuration_was_fetched_then_its_commit_is_shown(
    maria, plan, make_deployment, make_command
):
    deployment = make_deployment()
    fetched = make_command(deployment, state=State.COMPLETED, source_commit="ab" * 20)
    assert f">{'ab' * 20}</code>" in maria.get(f"/commands/{fetched}").text
    installed = make_command(deployment, state=State.COMPLETED)
    assert "service configuration of commit" not in maria.get(f"/commands/{installed}").text
