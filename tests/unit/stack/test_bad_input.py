"""Wrong documents: one error with the file, the path of the key, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError

WEB = "services: {web: {image: app, %s}}"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("services: [", "", "this is not valid YAML"),
        ("services: {web: {image: a, image: b}}", "services.web.image", "stands twice, in lines 1 and 1"),
        ("- a", "", "a compose document is a mapping"),
        ("{}", "", "no services; add at least one"),
        (WEB % "imagee: b", "services.web.imagee", "did you mean 'image'?"),
        (
            WEB % "environment: {A: '${NO:?say which}'}",
            "services.web.environment.A",
            "NO is not set: say which",
        ),
        (WEB % "command: 'a $ b'", "services.web.command", "write '$$' for a plain '$'"),
        (WEB % "networks: [none]", "services.web.networks", "'none' is not defined; add it to"),
        (WEB % "volumes: ['none:/x']", "services.web.volumes[0]", "'none' is not defined; add it to"),
        (WEB % "secrets: [none]", "services.web.secrets[0]", "'none' is not defined; add it to"),
        (WEB % "configs: [{source: none}]", "services.web.configs[0]", "'none' is not defined; add it to"),
        (
            WEB % "credential_spec: {config: none}",
            "services.web.credential_spec.config",
            "'none' is not defined; add it to",
        ),
        (
            WEB % "credential_spec: {file: a, registry: b}",
            "services.web.credential_spec",
            "exactly one of config, file and registry",
        ),
        (WEB % "mem_limit: 5m", "services.web.mem_limit", "use deploy.resources.limits.memory"),
        (WEB % "scale: 2", "services.web.scale", "use deploy.replicas"),
        (WEB % "volumes_from: [x]", "services.web.volumes_from", "name the volumes in volumes"),
        (
            WEB % "volumes: [{type: bind, source: /a, target: /b, tmpfs: {size: 5}}]",
            "services.web.volumes[0].tmpfs",
            "a mount of type bind has no options for tmpfs",
        ),
        (WEB % "dns: example.org", "services.web.dns", "is not an address"),
        (WEB % "deploy: {mode: globl}", "services.web.deploy.mode", "choose from replicated, global"),
        (
            WEB % "deploy: {endpoint_mode: dnsrr}, ports: ['80:80']",
            "services.web.ports",
            "needs endpoint_mode vip",
        ),
        (
            "services: {%s: {image: a}}" % ("w" * 70),
            f"services.{'w' * 70}",
            "72 characters, a swarm allows 63",
        ),
        ("services: {a.b: {image: a}}", "services.a.b", "a swarm refuses the name 's_a.b'"),
        ("services: {web: {command: x}}", "services.web", "image is missing"),
        (
            (WEB % "") + "\nsecrets: {%s: {file: big}}" % ("k" * 70),
            f"secrets.{'k' * 70}",
            "72 characters, a swarm allows 64 for secrets",
        ),
        ((WEB % "") + "\nsecrets: {k: {file: big}}", "secrets.k", "512001 bytes; it must have 1 to 512000"),
        ((WEB % "") + "\nsecrets: {k: {file: empty}}", "secrets.k", "0 bytes; it must have 1 to 512000"),
        ((WEB % "") + "\nconfigs: {k: {file: none}}", "configs.k.file", "check path and rights"),
        (
            (WEB % "") + "\nconfigs: {k: {file: big, content: x}}",
            "configs.k",
            "file and content cannot stand together",
        ),
        (
            (WEB % "") + "\nsecrets: {k: {file: big, driver: x}}",
            "secrets.k",
            "driver and file cannot stand together",
        ),
    ],
)
def test_wrong_document_then_one_error_with_file_and_path(
    text: str, path: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(b"x" * (500 * 1024 + 1))
    (tmp_path / "empty").write_bytes(b"")
    first, second = tmp_path / "first.yml", tmp_path / "second.yml"
    first.write_text("x-note: nothing here\n")
    second.write_text(text)
    with pytest.raises(ComposeError) as caught:
        load_stack([str(first), str(second)], Naming("s"), variables={})
    assert words in str(caught.value)
    assert caught.value.path == path
    if text != "{}":
        assert str(caught.value).startswith(f"{second}: ")
