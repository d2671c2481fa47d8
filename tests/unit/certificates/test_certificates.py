"""Certificates in a folder, and those that others made."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ansible_collections.labyard.platform.plugins.module_utils._certificates.errors import CertificateError
from ansible_collections.labyard.platform.plugins.module_utils._certificates.keeping import (
    Authority,
    Kept,
    check_supplied,
    keep_certificate,
)
from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted, covers
from ansible_collections.labyard.platform.plugins.modules.certificate import argument_spec, check_options

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WANTED = Wanted("ingress", ("labyard.example.org", "*.apps.example.org"), ("192.0.2.7",), days=100)


def keep(folder: Path, *, now: datetime = NOW, check_mode: bool = False, **changes: Any) -> Kept:
    return keep_certificate(
        folder / "kept", replace(WANTED, **changes), Authority("Ours"), 30, now, check_mode
    )


def verify(found: Kept, name: str, now: datetime = NOW) -> None:
    """As a browser does; raises VerificationError."""
    ca = x509.load_pem_x509_certificate(Path(found.ca).read_bytes())
    leaf = x509.load_pem_x509_certificate(Path(found.certificate).read_bytes())
    policy = PolicyBuilder().store(Store([ca])).time(now)
    policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [])


def test_certificate_when_new_then_browsers_take_it_for_its_names_alone(tmp_path: Path) -> None:
    found = keep(tmp_path)
    verify(found, "labyard.example.org")
    verify(found, "abcd1234.apps.example.org")
    with pytest.raises(VerificationError):
        verify(found, "apps.example.org")
    with pytest.raises(VerificationError):
        verify(found, "labyard.example.org", NOW + timedelta(days=101))


def test_files_when_made_then_only_their_owner_reads_the_keys(tmp_path: Path) -> None:
    found = keep(tmp_path)
    folder = tmp_path / "kept"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {
        "ca.crt": 0o644,
        "ca.key": 0o600,
        "ingress.crt": 0o644,
        "ingress.key": 0o600,
    }
    assert found.reason == "authority missing"


def test_certificate_when_it_is_good_then_it_stays(tmp_path: Path) -> None:
    first = keep(tmp_path)
    again = keep(tmp_path, now=NOW + timedelta(days=70))
    assert (first.changed, again.changed) == (True, False)
    assert again.fingerprint == first.fingerprint
    assert (first.days_left, again.days_left) == (100, 30)


@pytest.mark.parametrize(
    ("later", "changes", "reason"),
    [
        (71, {}, "ends in 29 days"),
        (120, {}, "ends in -20 days"),
        (0, {"dns_names": ("other.example.org",)}, "names are others"),
        (0, {"ip_addresses": ()}, "names are others"),
    ],
)
def test_certificate_when_it_does_not_serve_any_more_then_it_is_made_anew_by_the_same_authority(
    tmp_path: Path, later: int, changes: dict[str, Any], reason: str
) -> None:
    first, ca = keep(tmp_path), (tmp_path / "kept" / "ca.crt").read_bytes()
    again = keep(tmp_path, now=NOW + timedelta(days=later), **changes)
    assert (again.changed, again.reason) == (True, reason)
    assert again.fingerprint != first.fingerprint
    assert (tmp_path / "kept" / "ca.crt").read_bytes() == ca


@pytest.mark.parametrize("name", ["ingress.key", "ingress.crt", "ca.key", "ca.crt"])
@pytest.mark.parametrize("content", [None, "no key at all"])
def test_certificate_when_a_file_is_missing_or_broken_then_what_hangs_on_it_is_made_anew(
    tmp_path: Path, name: str, content: str | None
) -> None:
    keep(tmp_path)
    path = tmp_path / "kept" / name
    path.unlink() if content is None else path.write_text(content)
    again = keep(tmp_path)
    assert again.changed
    assert again.reason == ("authority missing" if name.startswith("ca") else "missing")
    verify(again, "labyard.example.org")


def test_certificate_when_a_run_was_cut_off_between_key_and_certificate_then_it_is_made_anew(
    tmp_path: Path,
) -> None:
    keep(tmp_path)
    other = keep(tmp_path / "other")
    (tmp_path / "kept" / "ingress.key").write_bytes(Path(other.key).read_bytes())
    assert keep(tmp_path).reason == "key is another one's"


def test_certificate_when_its_authority_is_replaced_then_it_is_made_anew(tmp_path: Path) -> None:
    keep(tmp_path)
    other = tmp_path / "other" / "kept"
    keep(tmp_path / "other")
    for name in ("ca.crt", "ca.key"):
        (tmp_path / "kept" / name).write_bytes((other / name).read_bytes())
    assert keep(tmp_path).reason == "authority is another"


def test_certificate_when_the_authority_ends_before_it_then_it_ends_with_it(tmp_path: Path) -> None:
    authority = Authority("Ours", days=60)
    found = keep_certificate(tmp_path / "kept", WANTED, authority, 30, NOW, check_mode=False)
    assert found.days_left == 60


def test_check_mode_when_nothing_is_there_then_nothing_is_made(tmp_path: Path) -> None:
    found = keep(tmp_path, check_mode=True)
    assert (found.changed, found.not_after, found.fingerprint) == (True, "", "")
    assert not (tmp_path / "kept").exists()


def test_check_mode_when_it_would_be_renewed_then_the_old_one_stays(tmp_path: Path) -> None:
    first = keep(tmp_path)
    found = keep(tmp_path, check_mode=True, now=NOW + timedelta(days=90))
    assert (found.changed, found.days_left, found.fingerprint) == (True, 10, first.fingerprint)


def test_folder_when_it_cannot_be_written_to_then_says_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(CertificateError, match=r"kept.*Name a folder"):
        keep(tmp_path)


def test_supplied_when_it_serves_then_its_own_paths_are_handed_over(tmp_path: Path) -> None:
    made = keep(tmp_path)
    found = check_supplied(
        Path(made.certificate), Path(made.key), Path(made.ca), ["LABYARD.example.org"], NOW
    )
    assert (found.changed, found.certificate, found.key, found.ca) == (
        False,
        made.certificate,
        made.key,
        made.ca,
    )
    assert found.days_left == 100


@pytest.mark.parametrize(
    ("names", "later", "key", "words"),
    [
        (["elsewhere.example.org"], 0, "ingress.key", "not for elsewhere.example.org"),
        (["labyard.example.org"], 200, "ingress.key", "ended on 2026-08-09"),
        (["labyard.example.org"], 0, "ca.key", "is not the key of"),
        (["labyard.example.org"], 0, "none.key", "no certificate and key"),
        (["labyard.example.org"], 0, "ca.crt", "no certificate and key"),
    ],
)
def test_supplied_when_it_cannot_serve_then_is_refused_with_the_reason(
    tmp_path: Path, names: list[str], later: int, key: str, words: str
) -> None:
    made = keep(tmp_path)
    with pytest.raises(CertificateError, match=words):
        check_supplied(
            Path(made.certificate), tmp_path / "kept" / key, None, names, NOW + timedelta(days=later)
        )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("abcd1234.apps.example.org", True),
        ("*.apps.example.org", True),
        ("a.b.apps.example.org", False),
        ("apps.example.org", False),
        ("*.example.org", False),
        ("192.0.2.7", True),
    ],
)
def test_covers_when_asked_then_a_star_stands_for_one_label(tmp_path: Path, name: str, good: bool) -> None:
    leaf = x509.load_pem_x509_certificate(Path(keep(tmp_path).certificate).read_bytes())
    assert covers(leaf, name) is good


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "../x"}, "name: take letters"),
        ({"name": "ca"}, "not ca"),
        ({"dns_names": []}, "one name at least"),
        ({"dns_names": ["no_host!"]}, "no_host! is no name of a host"),
        ({"ip_addresses": ["300.1.1.1"]}, "300.1.1.1"),
        ({"renew_days": 365}, "renew_days must be less"),
    ],
)
def test_options_when_no_certificate_can_come_of_them_then_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    defaults = {name: option.get("default") for name, option in argument_spec().items()}
    options = {**defaults, "folder": "/x", "name": "ingress", "dns_names": ["a.example.org"], **changes}
    with pytest.raises(CertificateError, match=words):
        check_options(options)
