"""Certificates from a real ACME authority: by http-01 through the ingress's nginx, and by dns-01."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.labyard.platform.plugins.module_utils._certificates.acme_client import AcmeServer
from ansible_collections.labyard.platform.plugins.module_utils._certificates.acme_keeping import (
    account_thumbprint,
    is_good,
    keep_ordered,
)
from ansible_collections.labyard.platform.plugins.module_utils._certificates.errors import CertificateError
from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted, names_of
from tests.conftest import REPOSITORY, SCRIPTS
from tests.services.nginx_server import DOMAIN, NginxServer
from tests.services.pebble_server import Pebble, pebble

NOW = datetime.now(UTC)
CONSOLE = Wanted("console", (DOMAIN,))
ALL = Wanted("ingress", (DOMAIN, "*.apps.test"))


@pytest.fixture(name="nginx", scope="module")
def _nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NginxServer, Path]]:
    """An ingress that answers for an account, and the folder of that account."""
    folder = tmp_path_factory.mktemp("acme")
    mark = account_thumbprint(folder, check_mode=False)
    server = NginxServer("127.0.0.1:9", "a" * 32, "127.0.0.1:9", ingress_acme_thumbprint=mark)
    try:
        server.start()
        yield server, folder
    finally:
        server.remove()


@pytest.fixture(name="authority", scope="module")
def _authority(nginx: tuple[NginxServer, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble(tmp_path_factory.mktemp("pebble"), nginx[0].http_port) as made:
        yield made


@pytest.fixture(name="hook")
def _hook(tmp_path: Path, authority: Pebble) -> Path:
    """A program that sets TXT records, as an operator would write one, and notes what it was asked."""
    path = tmp_path / "hook"
    path.write_text(
        f"""#!/bin/sh -eu
echo "$1 $2" >>{tmp_path}/asked
[ "$1" = clear ] && data="{{\\"host\\":\\"$2.\\"}}" || data="{{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}}"
exec curl -fsS --noproxy '*' -d "$data" {authority.dns}/"$1"-txt
"""
    )
    path.chmod(0o755)
    return path


def test_http_01_when_the_ingress_answers_then_a_certificate_comes_once(
    nginx: tuple[NginxServer, Path], authority: Pebble
) -> None:
    folder = nginx[1]
    server = AcmeServer(authority.directory, mail="admin@labyard.test", ca=authority.ca)
    assert keep_ordered(folder, CONSOLE, server, 30, NOW, check_mode=True).reason == "missing"
    assert not is_good(folder, CONSOLE, NOW)
    first = keep_ordered(folder, CONSOLE, server, 30, NOW, check_mode=False)
    assert first.changed
    assert is_good(folder, CONSOLE, NOW)
    chain = x509.load_pem_x509_certificates(Path(first.certificate).read_bytes())
    assert len(chain) > 1
    chain[0].verify_directly_issued_by(chain[1])
    assert Path(first.key).stat().st_mode & 0o777 == 0o600
    again = keep_ordered(folder, CONSOLE, server, 30, NOW, check_mode=False)
    assert (again.changed, again.fingerprint) == (False, first.fingerprint)
    # The account is known by now; the certificate is about to end.
    late = NOW + timedelta(days=first.days_left - 5)
    renewed = keep_ordered(folder, CONSOLE, server, 30, late, check_mode=False)
    assert renewed.reason.startswith("ends in")
    assert renewed.fingerprint != first.fingerprint


def test_http_01_when_another_account_asks_then_the_authority_says_what_it_found(
    tmp_path: Path, authority: Pebble
) -> None:
    server = AcmeServer(authority.directory, ca=authority.ca)
    with pytest.raises(CertificateError, match="ingress_acme_thumbprint"):
        keep_ordered(tmp_path, CONSOLE, server, 30, NOW, check_mode=False)
    assert not is_good(tmp_path, CONSOLE, NOW)


def test_dns_01_when_the_hook_sets_records_then_a_wildcard_comes_and_they_are_cleared(
    tmp_path: Path, authority: Pebble, hook: Path
) -> None:
    server = AcmeServer(authority.directory, ca=authority.ca, challenge="dns-01", hook=(str(hook),))
    kept = keep_ordered(tmp_path, ALL, server, 30, NOW, check_mode=False)
    leaf = x509.load_pem_x509_certificate(Path(kept.certificate).read_bytes())
    assert names_of(leaf) == {DOMAIN, "*.apps.test"}
    names = ["_acme-challenge.apps.test", f"_acme-challenge.{DOMAIN}"]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert sorted(asked) == [*(f"clear {name}" for name in names), *(f"set {name}" for name in names)]


def test_order_when_the_hook_fails_then_its_words_are_told(tmp_path: Path, authority: Pebble) -> None:
    hook = ("sh", "-c", "echo no such zone >&2; exit 3", "hook")
    server = AcmeServer(authority.directory, ca=authority.ca, challenge="dns-01", hook=hook)
    with pytest.raises(CertificateError, match="no such zone"):
        keep_ordered(tmp_path, ALL, server, 30, NOW, check_mode=False)


def test_order_when_the_authority_is_not_trusted_or_away_then_that_is_said(
    tmp_path: Path, authority: Pebble
) -> None:
    for server in (AcmeServer(authority.directory), AcmeServer("https://127.0.0.1:9/dir")):
        with pytest.raises(CertificateError, match="Check its address"):
            keep_ordered(tmp_path, CONSOLE, server, 30, NOW, check_mode=False)


def test_role_when_run_twice_then_it_orders_once_and_hands_over_what_came(
    tmp_path: Path, authority: Pebble, hook: Path
) -> None:
    settings = {
        "ansible_python_interpreter": sys.executable,
        "certificates_folder": str(tmp_path / "certificates"),
        "certificates_wanted": [{"name": "ingress", "dns_names": [DOMAIN, "*.apps.test"], "acme": True}],
        "certificates_acme_directory": authority.directory,
        "certificates_acme_ca": str(authority.ca),
        "certificates_acme_dns_hook": [str(hook)],
    }
    role = {"name": "labyard.platform.certificates"}
    shown = "{{ certificates_files.ingress.certificate }}"
    show = {"copy": {"content": shown, "dest": str(tmp_path / "shown")}}
    tasks = [{"include_role": role}, {"include_role": {**role, "tasks_from": "acme"}}, show]
    play = tmp_path / "play.yml"
    play.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": settings, "tasks": tasks}])
    )
    changed = [_play(play), _play(play)]
    assert [count > 0 for count in changed] == [True, False]
    assert (tmp_path / "shown").read_text().strip() == str(tmp_path / "certificates/acme/ingress.crt")


def _play(path: Path) -> int:
    """How many tasks of a play changed something; it must end well."""
    done = subprocess.run(
        [str(SCRIPTS / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.partition("changed=")[2].split()[0])
