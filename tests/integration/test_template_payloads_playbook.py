"""Whatever a request says, it is data: refused, or the plain text it is, and never run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.jupyter import compute
from tests.integration.notebook_play import PLAN, TOKEN, Deployment, deployment

Request = dict[str, Any]


def payloads(mark: Path) -> list[str]:
    """Texts that make the file `mark` wherever they are taken for more than texts."""
    return [
        f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}",
        f"{{% if lookup('ansible.builtin.pipe', 'touch {mark}') %}}x{{% endif %}}",
        f"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}}{{{{ query('pipe', 'touch {mark}') }}}}",
        f"$(touch {mark})`touch {mark}`;touch {mark}|touch {mark}",
        f"'; touch {mark} #",
    ]


def text_of(mark: Path) -> str:
    return " ".join(payloads(mark))


# Each puts a payload into one place of a sound request.
VALUES: dict[str, Callable[[Request, Any], Any]] = {
    "plan": lambda r, x: r.update(plan=x),
    "plan.name": lambda r, x: r["plan"].update(name=x),
    "plan.configuration": lambda r, x: r["plan"].update(configuration=x),
    "plan.fixed": lambda r, x: r["plan"].update(fixed={"cpu_limit": x}),
    "phase": lambda r, x: r.update(phase=x),
    "name": lambda r, x: r.update(name=x),
    "deployment": lambda r, x: r.update(deployment=x),
    "deployment.id": lambda r, x: r["deployment"].update(id=x),
    "deployment.project": lambda r, x: r["deployment"].update(project=x),
    "deployment.owner": lambda r, x: r["deployment"].update(owner=x),
    "params": lambda r, x: r.update(params=x),
    "params.image_flavour": lambda r, x: r["params"].update(image_flavour=x),
    "params.cpu_limit": lambda r, x: r["params"].update(cpu_limit=x),
    "params.pip_packages": lambda r, x: r["params"].update(pip_packages=[x]),
    "params.environment": lambda r, x: r["params"].update(environment={x: "a name"}),
    "secrets": lambda r, x: r.update(secrets={"token": x}),
    "secrets.name": lambda r, x: r.update(secrets={x: TOKEN}),
    "a key": lambda r, x: r.update({x: "a key"}),
}

KEYS = ["__ansible_unsafe", "__ansible_vault", "ansible_ssh_common_args", "ansible_connection"]


@pytest.mark.parametrize("place", VALUES)
def test_a_payload_where_a_value_belongs_then_refused_at_its_place(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "mark"
    one = Deployment(tmp_path)
    request = json.loads(json.dumps(one.request("install")))
    VALUES[place](request, text_of(mark))
    outcome = one.play(request)
    assert outcome.code != 0, outcome.output
    assert "cannot be carried out" in outcome.message
    assert not mark.exists()
    assert one.remains() == {}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_ansible_knows_then_refused_everywhere(tmp_path: Path, key: str) -> None:
    mark = tmp_path / "mark"
    one = Deployment(tmp_path)
    trap = {key: f"-o ProxyCommand='touch {mark}' {text_of(mark)}"}
    request = one.request("install") | trap
    request["plan"] = PLAN | trap
    request["deployment"] = request["deployment"] | trap
    assert one.play(request).code != 0
    for params in (trap, {"environment": {"A": trap}}, {"pip_packages": [trap]}, {"cpu_limit": trap}):
        outcome = one.play(one.request("install", **params))
        assert outcome.code != 0, outcome.output
        assert key in outcome.message or "must be" in outcome.message
    assert not mark.exists()
    assert one.remains() == {}


def test_payloads_where_any_text_may_stand_then_they_arrive_as_they_are(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    texts = [
        *payloads(mark),
        "!unsafe x",
        "!vault |",
        "$HOME ${HOME} $$",
        "a\nb\tc",
        "{{",
        "{{{",
        "}}",
        "{{.Node.ID}}",
        "\\",
        "é 漢 🐚",
    ]
    given = {f"P{n}": text for n, text in enumerate(texts)} | {"ansible_ssh_common_args": texts[0]}
    with deployment(tmp_path / "private") as one:
        outcome = one.run("install", environment=given)
        assert outcome.code == 0, outcome.output
        url = outcome.result["endpoints"][0]["url"].removesuffix("/lab")
        code = f"import json, os; print(json.dumps([os.environ[k] for k in {list(given)!r}]))"
        assert json.loads(compute(url, TOKEN, code)) == list(given.values())
        # An update that does not name them reads them back from the swarm.
        assert one.run("update", idle_timeout=30).code == 0
        assert json.loads(compute(url, TOKEN, code)) == list(given.values())
    assert not mark.exists()
