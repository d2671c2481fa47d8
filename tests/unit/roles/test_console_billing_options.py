"""What the role `console` refuses of its options for billing, before it changes anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services.stripe_server import KEY, WEBHOOK_SECRET

# Where all options are good, the role goes on to look for the program, which is not there.
ACCEPTED = "There is no /nowhere/labyard."
EOSC = {"metrics": {"notebook/small": "metric-1"}, "users": {"ada": "ada@egi.example"}}

GOOD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "not metered": {"console_usage_interval": 0},
    "Stripe": {"console_stripe_key": KEY, "console_stripe_webhook_secret": WEBHOOK_SECRET},
    "Stripe, which cannot reach the console": {"console_stripe_key": KEY},
    "a webhook secret that is replaced": {
        "console_stripe_key": KEY,
        "console_stripe_webhook_secret": f"{WEBHOOK_SECRET}\nwhsec_other",
    },
    "Stripe's stand-in": {"console_stripe_key": KEY, "console_stripe_url": "http://127.0.0.1:4242"},
    "EOSC": {"console_eosc": EOSC},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "interval below zero": ({"console_usage_interval": -1}, "console_usage_interval: -1 are no seconds"),
    "interval as words": ({"console_usage_interval": "five minutes"}, "console_usage_interval"),
    "interval with a fraction": ({"console_usage_interval": 0.5}, "console_usage_interval"),
    "webhook secret without a key": (
        {"console_stripe_webhook_secret": WEBHOOK_SECRET},
        "console_stripe_key is not, so nobody could pay",
    ),
    "publishable key": ({"console_stripe_key": "pk_test_x"}, "no secret key of Stripe's"),
    "key of spaces": ({"console_stripe_key": "  "}, "no secret key of Stripe's"),
    "two keys": ({"console_stripe_key": f"{KEY} {KEY}"}, "no secret key of Stripe's"),
    "key for a webhook secret": (
        {"console_stripe_key": KEY, "console_stripe_webhook_secret": KEY},
        "no signing secrets",
    ),
    "Stripe without TLS": (
        {"console_stripe_key": KEY, "console_stripe_url": "http://stripe.example"},
        "sent in the open",
    ),
    "address that only begins as this machine": (
        {"console_stripe_key": KEY, "console_stripe_url": "http://127.0.0.1.example.org"},
        "sent in the open",
    ),
    "EOSC without metrics": ({"console_eosc": {"users": {"ada": "x"}}}, "console_eosc has no metrics"),
    "EOSC with another part": ({"console_eosc": {**EOSC, "metric": {}}}, "metric"),
    "EOSC with a list": ({"console_eosc": {"metrics": ["notebook"]}}, "metrics"),
    "EOSC with a number": ({"console_eosc": {"metrics": {"notebook": 7}}}, "console_eosc.metrics must map"),
    "EOSC with an empty id": (
        {"console_eosc": {**EOSC, "groups": {"x": ""}}},
        "console_eosc.groups must map",
    ),
    "EOSC as a path": ({"console_eosc": "/etc/labyard/eosc.yml"}, "console_eosc"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """Why the role ended, by case, and all that was printed. One play: starting Ansible takes seconds."""
    folder = tmp_path_factory.mktemp("options")
    cases = {**GOOD, **{name: options for name, (options, _) in BAD.items()}}
    (folder / "play.yml").write_text(yaml.safe_dump(_play(folder, cases)), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-vv", "-i", "localhost,", "play.yml"],
        cwd=folder, env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "default"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-3000:]
    return json.loads((folder / "ends.json").read_text("utf-8")), printed


def _play(folder: Path, cases: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    for name, options in cases.items():
        role = {
            "ansible.builtin.include_role": {"name": "labyard.platform.console"},
            "vars": {"console_home": str(folder / "home"), "console_program": "/nowhere/labyard", **options},
        }
        words = "{{ ends | default({}) | combine({name: ansible_failed_result | to_json}) }}"
        end = {"ansible.builtin.set_fact": {"ends": words}, "vars": {"name": name}, "no_log": True}
        tasks.append({"block": [role], "rescue": [end]})
    written = {"content": "{{ ends | to_json }}", "dest": str(folder / "ends.json"), "mode": "0600"}
    return [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [*tasks, {"ansible.builtin.copy": written, "no_log": True}],
        }
    ]


@pytest.mark.parametrize("name", GOOD)
def test_options_when_good_then_are_accepted(answers: tuple[dict[str, str], str], name: str) -> None:
    assert ACCEPTED in answers[0][name]


@pytest.mark.parametrize("name", BAD)
def test_options_when_bad_then_are_refused_with_words_on_them(
    answers: tuple[dict[str, str], str], name: str
) -> None:
    assert BAD[name][1] in answers[0][name]
    assert ACCEPTED not in answers[0][name]


def test_secrets_when_refused_or_accepted_then_are_not_printed(answers: tuple[dict[str, str], str]) -> None:
    for text in (*answers[0].values(), answers[1]):
        assert KEY not in text
        assert WEBHOOK_SECRET not in text
