"""The launch form, made from the role's argument spec."""

from __future__ import annotations

import html
import re

from flask import Flask

from labyard.models import Command, Deployment, db

PAYLOAD = "{{ lookup('pipe', 'touch mark') }}<script>alert(1)</script>"


def form(**changes: str) -> dict[str, str]:
    """What a browser sends for the form as it is shown, with `changes`."""
    shown = {
        "name": "demo",
        "project": "default",
        "param-image_flavour": "minimal",
        "param-pip_packages": "",
        "param-environment": "",
        "param-cpu_limit": "1.0",
        "param-memory_limit": "1024",
        "param-idle_timeout": "0",
    }
    return {**shown, **{name.replace("__", "-"): value for name, value in changes.items()}}


def field(page: str, name: str) -> str:
    """The tag of the input of that name."""
    found = re.search(rf'<(?:input|select|textarea)[^>]* name="{re.escape(name)}"[^>]*>', page)
    assert found, f"the page has no field {name}"
    return found.group()


def text_of(page: str, element_id: str) -> str:
    """The text of a paragraph, without markup."""
    found = re.search(rf'<p[^>]* id="{re.escape(element_id)}"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found, f"the page has no paragraph {element_id}"
    return html.unescape(re.sub(r"<[^>]+>", "", found.group(1))).strip()


def count_deployments(app: Flask) -> int:
    with app.app_context():
        return db.session.query(Deployment).count()


def test_form_when_shown_then_has_widgets_groups_help_and_defaults_of_the_spec(maria, make_plan):
    make_plan()
    page = maria.get("/plans/notebook/launch").text
    assert field(page, "param-image_flavour").startswith("<select")
    assert 'type="number"' in field(page, "param-cpu_limit")
    assert 'value="1024"' in field(page, "param-memory_limit")
    assert field(page, "param-environment").startswith("<textarea")
    assert "<legend>Software</legend>" in page
    assert 'aria-describedby="param-cpu_limit-help"' in field(page, "param-cpu_limit")
    assert "CPU time" in text_of(page, "param-cpu_limit-help")
    assert "param-port_range" not in page, "an operator's option is no person's field"


def test_form_when_names_are_taken_then_suggests_the_next_free_one(maria, make_plan, make_deployment):
    make_plan()
    make_deployment("notebook-1")
    assert 'value="notebook-2"' in field(maria.get("/plans/notebook/launch").text, "name")


def test_form_when_the_plan_fixes_a_value_then_does_not_ask_for_it(maria, make_plan):
    make_plan(fixed={"image_flavour": "minimal"})
    assert "param-image_flavour" not in maria.get("/plans/notebook/launch").text


def test_form_when_a_shape_is_chosen_then_is_filled_with_it(maria, make_plan):
    make_plan(shapes={"large": {"memory_limit": 4096}})
    page = maria.get("/plans/notebook/launch?shape=large").text
    assert 'value="4096"' in field(page, "param-memory_limit")


def test_launch_when_all_is_right_then_goes_to_the_live_page_of_its_command(app, maria, make_plan):
    make_plan()
    answer = maria.post("/plans/notebook/launch", data=form(param__environment="GREETING=hello"))
    assert answer.status_code == 303
    page = maria.get(answer.location).text
    assert "<h1>Launch demo</h1>" in page
    with app.app_context():
        command = db.session.query(Command).one()
        assert command.params["environment"] == {"GREETING": "hello"}
        assert command.params["cpu_limit"] == 1.0


def test_launch_when_values_are_wrong_then_says_so_at_the_fields_and_keeps_what_was_typed(
    app, maria, make_plan
):
    make_plan()
    sent = form(name="my demo", param__memory_limit="7", param__pip_packages="requests")
    answer = maria.post("/plans/notebook/launch", data=sent)
    assert answer.status_code == 422
    assert "must be 1 to 63" in text_of(answer.text, "name-error")
    assert 'value="my demo"' in field(answer.text, "name")

    answer = maria.post("/plans/notebook/launch", data={**sent, "name": "demo"})
    assert answer.status_code == 422
    page = answer.text
    assert text_of(page, "param-memory_limit-error") == "Memory (MiB): must be between 256 and 1048576 MiB"
    tag = field(page, "param-memory_limit")
    assert 'aria-invalid="true"' in tag
    assert 'aria-describedby="param-memory_limit-help param-memory_limit-error"' in tag
    assert 'value="7"' in tag
    assert 'href="#param-memory_limit"' in page, "the summary leads to the field"
    assert re.search(r"<textarea[^>]*param-pip_packages[^>]*>\s*requests</textarea>", page)
    assert count_deployments(app) == 0


def test_launch_when_the_name_is_taken_then_says_so_at_the_name(app, maria, make_plan, make_deployment):
    make_plan()
    make_deployment("demo")
    answer = maria.post("/plans/notebook/launch", data=form(name="demo"))
    assert answer.status_code == 409
    assert "choose another name" in text_of(answer.text, "name-error")
    assert 'aria-invalid="true"' in field(answer.text, "name")
    assert count_deployments(app) == 1


def test_launch_when_the_project_is_not_ones_own_then_says_so(maria, make_plan):
    make_plan()
    answer = maria.post("/plans/notebook/launch", data=form(project="others"))
    assert answer.status_code == 422
    assert "is not one of your projects" in html.unescape(answer.text)


def test_launch_when_a_name_is_a_payload_then_is_refused_and_shown_as_text(app, maria, make_plan):
    make_plan()
    answer = maria.post("/plans/notebook/launch", data=form(name=PAYLOAD))
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert html.escape(PAYLOAD, quote=True).replace("&#x27;", "&#39;") in answer.text
    assert count_deployments(app) == 0


def test_launch_when_a_value_is_a_payload_then_is_stored_and_shown_as_text(app, maria, make_plan):
    make_plan()
    answer = maria.post("/plans/notebook/launch", data=form(param__environment=f"GREETING={PAYLOAD}"))
    assert answer.status_code == 303
    with app.app_context():
        deployment = db.session.query(Deployment).one()
        assert deployment.params["environment"] == {"GREETING": PAYLOAD}
        path = f"/deployments/{deployment.id}"
    for page in (maria.get(path).text, maria.get(f"{path}/update").text):
        assert "<script>alert" not in page
        assert PAYLOAD in html.unescape(page)


def test_launch_when_the_plan_does_not_exist_then_the_page_says_which_do(maria, make_plan):
    make_plan()
    answer = maria.get("/plans/nothing/launch")
    assert answer.status_code == 404
    assert "known are: notebook" in answer.text
