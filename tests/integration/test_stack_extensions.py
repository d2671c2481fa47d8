"""What swarm_stack takes beyond docker's schema, on a real swarm; and that wrong documents change nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from tests.integration.stack_helpers import docker_command, service, stack_module
from tests.oracle.oracle import read_back

pytestmark = pytest.mark.usefixtures("image")

#: Shows what the container got, and goes on running.
SHOW = "busybox id -G; cat /etc/resolv.conf /run/secrets/key /settings; echo $$TAG; sleep 100000"


@pytest.fixture
def stack() -> Iterator[str]:
    """A name for a stack, which is removed afterwards."""
    name = f"extras-{secrets.token_hex(3)}"
    yield name
    stack_module(name, state="absent", remove_volumes=True)


def test_extensions_then_the_container_has_them(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORACLE_KEY", "from the environment")
    (tmp_path / ".env").write_text("TAG=from .env\n")
    (tmp_path / "compose.yml").write_text(
        "include: [base.yml]\n"
        "services:\n"
        "  web:\n"
        "    extends: {service: base, file: base.yml}\n"
        f"    command: [sh, -c, '{SHOW}']\n"
        "    environment: {TAG: $TAG}\n"
        "    group_add: [4242]\n"
        "    dns_opt: ['ndots:3']\n"
        "    secrets: [key]\n"
        "    configs: [{source: settings, target: /settings}]\n"
        "    depends_on: {other: {condition: service_started}}\n"
        "secrets: {key: {environment: ORACLE_KEY}}\n"
        "configs: {settings: {content: 'inline'}}\n"
    )
    base: dict[str, Any] = {"services": {"base": {**service(), "profiles": ["template"]}}}
    (tmp_path / "base.yml").write_text(repr(base))
    outcome = stack_module(stack, str(tmp_path / "compose.yml"), dotenv=True)
    assert [found["name"] for found in outcome.services] == [f"{stack}_web"]
    shown = docker_command("service", "logs", "--raw", f"{stack}_web")
    for words in ("4242", "options ndots:3", "from the environment", "inline", "from .env"):
        assert words in shown
    again = stack_module(stack, str(tmp_path / "compose.yml"), dotenv=True)
    assert again.actions == []
    assert any("services.web.depends_on: ignored" in warning for warning in again.warnings)


@pytest.mark.parametrize(
    ("document", "options", "words"),
    [
        (
            {"services": {"web": {"image": "a", "oom_score_adj": 5}}},
            {},
            "oom_score_adj needs Docker Engine API",
        ),
        (
            {"services": {"web": {"image": "a", "privileged": True}}},
            {"unsupported": "error"},
            "services.web.priv",
        ),
        ({"services": {"web": {"image": "a", "secrets": ["none"]}}}, {}, "'none' is not defined"),
        (
            {"services": {"web": {"image": "a"}}, "secrets": {"k": {"content": "x"}}},
            {},
            "secrets.k.content: this key is not known",
        ),
    ],
)
def test_wrong_document_then_error_and_nothing_is_made(
    document: dict[str, Any], options: dict[str, Any], words: str, stack: str
) -> None:
    with pytest.raises(StackError) as caught:
        stack_module(stack, document, **options)
    assert words in str(caught.value)
    assert not any(read_back(stack).values())
