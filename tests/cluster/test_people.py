"""People of the directory at the hub and at the console, through the ingress, on three nodes."""

from __future__ import annotations

from tests.cluster.platform import APPS, Platform, hub_origin
from tests.integration.jupyter import compute

KEEP = "from pathlib import Path; Path('kept').write_text('yes')"


def test_person_when_at_the_hub_then_computes_and_finds_their_files_again(platform: Platform) -> None:
    ada = platform.at_the_hub("ada")
    ada.start()
    origin = hub_origin("ada")
    assert ada.lab().url.startswith(f"{origin}/user/ada/lab")
    assert ada.compute(origin, KEEP) == "3"
    ada.stop()
    for _ in range(2):  # at once
        ada.start()
        assert ada.compute(origin, "open('kept').read()") == "'yes'"
        ada.stop()


def test_person_when_at_the_console_then_their_notebook_is_theirs_alone(platform: Platform) -> None:
    ada, bob = platform.signed_in("ada"), platform.signed_in("bob")
    deployment = platform.deploy("ada", "cluster-test")
    origin = f"https://{deployment}.{APPS}"
    page = ada.get(f"{origin}/lab")
    assert page.status_code == 200, page.text[:500]
    assert "jupyter-config-data" in page.text
    cookie = ada.cookies_for(f"{origin}/")
    assert compute(origin, "", "6 * 7", cookie=cookie, ca=platform.ca) == "42"
    refused = bob.get(f"{origin}/lab")
    assert refused.status_code == 403
    assert "that you may open" in refused.text
    platform.remove(deployment)
