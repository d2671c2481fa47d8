"""What the platform's edge offers to those who connect."""

from __future__ import annotations

import pytest
import requests

from tests.cluster.platform import CONSOLE, HUB, Platform
from tests.services.tls_scanner import scan


@pytest.mark.parametrize("name", [CONSOLE, HUB])
def test_tls_when_scanned_then_is_what_mozilla_calls_intermediate(platform: Platform, name: str) -> None:
    edge = platform.nodes[platform.groups["edge"][0]]
    said = scan(f"{edge}:443", name, platform.ca)
    assert "OK - Compliant" in said, said[-3000:]
    for old in ("SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1"):
        assert "the server rejected all" in said.split(f"* {old} Cipher Suites:")[1].splitlines()[1]


@pytest.mark.parametrize("url", [f"https://{CONSOLE}/sign-in", f"https://{HUB}/hub/login"])
def test_page_when_asked_then_tells_browsers_to_stay_with_https(platform: Platform, url: str) -> None:
    headers = requests.get(url, verify=platform.ca, timeout=30).headers
    assert "max-age=" in headers["Strict-Transport-Security"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" in headers
