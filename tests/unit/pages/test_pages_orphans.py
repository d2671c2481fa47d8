"""Orphans for admins, kept volumes for their owners."""

from __future__ import annotations

import pytest

from labyard.clock import utc_now
from labyard.models import Command, Deployment, Orphan, State, db

KEPT = [{"name": "notebook-abc_home", "kept": True}]


@pytest.fixture
def root(make_person, sign_in):
    return sign_in(make_person("root", is_admin=True))


def add_orphan(app, kind="stack", ident="notebook-aaaaaaaa", **columns):
    with app.app_context():
        orphan = Orphan(kind=kind, ident=ident, detail="1 service.", confirmed=True, **columns)
        db.session.add(orphan)
        db.session.commit()
        return orphan.id


def action_of(app, orphan_id):
    with app.app_context():
        orphan = db.session.get(Orphan, orphan_id)
        return None if orphan is None else orphan.action


def test_orphans_when_there_are_none_then_says_so(root):
    assert "There are no orphans" in root.get("/orphans").text


def test_orphans_when_no_admin_asks_then_refused(app, maria):
    orphan = add_orphan(app)
    assert maria.get("/orphans").status_code == 403
    assert maria.post(f"/orphans/{orphan}", data={"action": "remove"}).status_code == 403
    assert action_of(app, orphan) == ""
    assert 'href="/orphans"' not in maria.get("/deployments").text


def test_orphans_when_one_is_to_be_removed_then_shows_that_it_is_on_its_way(app, root):
    orphan = add_orphan(app)
    page = root.get("/orphans").text
    assert "notebook-aaaaaaaa" in page
    assert 'value="remove"' in page
    assert root.post(f"/orphans/{orphan}", data={"action": "remove"}).status_code == 303
    assert action_of(app, orphan) == "remove"
    assert "being removed" in root.get("/orphans").text


def test_orphans_when_the_choice_does_not_fit_then_says_what_does(app, root):
    orphan = add_orphan(app)
    root.post(f"/orphans/{orphan}", data={"action": "reinstall"})
    assert "must be one of: remove, forget" in root.get("/orphans").text
    root.post("/orphans/4711", data={"action": "remove"})
    assert "may be repaired already" in root.get("/orphans").text


def test_orphans_when_a_deployment_is_installed_again_then_goes_to_its_command(
    app, root, maria, make_plan, make_deployment
):
    make_plan()
    deployment = make_deployment()
    orphan = add_orphan(app, "deployment", deployment, deployment_id=deployment)
    answer = root.post(f"/orphans/{orphan}", data={"action": "reinstall"})
    with app.app_context():
        command = db.session.query(Command).one()
        assert (command.phase, command.deployment_id) == ("install", deployment)
        assert answer.location == f"/commands/{command.id}"
    assert action_of(app, orphan) is None


def test_volumes_when_none_was_kept_then_says_so(maria):
    assert "No volume was kept" in maria.get("/volumes").text


def test_volumes_when_one_was_kept_then_its_owner_can_delete_it_after_a_question(
    app, maria, make_plan, make_deployment
):
    make_plan()
    make_deployment(state=State.REMOVED, volumes=KEPT, removed_at=utc_now())
    assert KEPT[0]["name"] in maria.get("/volumes").text
    question = maria.get(f"/volumes/{KEPT[0]['name']}/delete").text
    assert "Nobody can bring them back" in question
    assert maria.post(f"/volumes/{KEPT[0]['name']}/delete").status_code == 303
    assert "being deleted" in maria.get("/volumes").text
    maria.post(f"/volumes/{KEPT[0]['name']}/delete")
    assert "being deleted already" in maria.get("/volumes").text


def test_volumes_when_one_lies_elsewhere_then_the_reason_is_shown_and_it_can_be_forgotten(
    app, maria, make_plan, make_deployment
):
    make_plan()
    deployment = make_deployment(state=State.REMOVED, volumes=KEPT, removed_at=utc_now())
    maria.post(f"/volumes/{KEPT[0]['name']}/delete")
    with app.app_context():
        db.session.query(Orphan).one().error = "It is not on the worker's node."
        db.session.commit()
    page = maria.get("/volumes").text
    assert "not on the worker&#39;s node" in page
    maria.post(f"/volumes/{KEPT[0]['name']}/forget")
    assert "No volume was kept" in maria.get("/volumes").text
    with app.app_context():
        assert db.session.get_one(Deployment, deployment).volumes[0]["kept"] is False


def test_volumes_when_they_are_anothers_then_they_are_not_there(
    app, maria, make_plan, make_deployment, make_person, sign_in
):
    make_plan()
    make_deployment(state=State.REMOVED, volumes=KEPT, removed_at=utc_now())
    other = sign_in(make_person("bob"))
    assert KEPT[0]["name"] not in other.get("/volumes").text
    for path in ("delete", "forget"):
        assert other.post(f"/volumes/{KEPT[0]['name']}/{path}").status_code == 404
