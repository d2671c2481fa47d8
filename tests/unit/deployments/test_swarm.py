"""How the console reaches the Engine."""

from __future__ import annotations

import pytest

from labyard.deployments.swarm import _Client


@pytest.mark.parametrize(("own", "counts"), [("/own/ca.pem", "/own/ca.pem"), (True, "/web/ca.pem")])
def test_engine_when_another_authority_is_trusted_on_the_web_then_its_own_counts(
    monkeypatch: pytest.MonkeyPatch, own: str | bool, counts: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/web/ca.pem")
    client = _Client(base_url="tcp://127.0.0.1:1", version="1.41")
    client.verify = own
    settings = client.merge_environment_settings("https://127.0.0.1:1/_ping", {}, None, None, None)
    client.close()
    assert settings["verify"] == counts
