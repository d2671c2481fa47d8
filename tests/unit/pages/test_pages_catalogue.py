"""The catalogue, and pages that are not there."""

from __future__ import annotations


def test_catalogue_when_there_is_no_plan_then_says_what_an_operator_must_do(maria):
    page = maria.get("/").text
    assert "There is nothing in the catalogue yet" in page
    assert "labyard db load-plans" in page


def test_catalogue_when_there_are_plans_then_shows_title_summary_and_shapes(maria, make_plan):
    make_plan(shapes={"small": {"cpu_limit": 1.0, "memory_limit": 2048}}, summary="A notebook of your own")
    page = maria.get("/").text
    assert 'href="/plans/notebook/launch"' in page
    assert "A notebook of your own" in page
    assert "CPU 1 core · Memory 2 GiB" in page


def test_catalogue_when_a_plan_is_hidden_then_only_an_admin_sees_it(maria, make_plan, make_person, sign_in):
    make_plan("secret-lab", visible=False)
    assert "Secret-lab" not in maria.get("/").text
    assert "Secret-lab" in sign_in(make_person("root", is_admin=True)).get("/").text


def test_catalogue_when_the_role_of_a_plan_is_gone_then_the_others_can_be_launched(maria, make_plan):
    make_plan()
    make_plan("broken", configuration="labyard.platform.no_such_role")
    page = maria.get("/").text
    assert 'href="/plans/notebook/launch"' in page
    assert "Broken is not available" in page


def test_catalogue_when_texts_hold_markup_then_shows_them_as_text(maria, make_plan):
    make_plan(title="<script>alert(1)</script>", summary="{{ 6 * 7 }}<img src=x onerror=alert(1)>")
    page = maria.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 6 * 7 }}&lt;img" in page


def test_pages_when_the_address_does_not_exist_then_say_so_kindly(maria):
    answer = maria.get("/no/such/page")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text
    assert 'href="/deployments"' in answer.text


def test_pages_when_answered_then_allow_no_inline_script_or_style(maria, make_plan, make_deployment):
    make_plan()
    deployment = make_deployment()
    for path in ("/", "/plans/notebook/launch", "/deployments", f"/deployments/{deployment}", "/nothing"):
        answer = maria.get(path)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text
        assert "<style" not in answer.text
