"""Fetching a configuration from a real git server over https."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labyard.catalog.git import Limits
from labyard.catalog.sources import (
    FetchedConfiguration,
    Source,
    SourceError,
    fetch_configuration,
    fetch_source,
    remove_leftovers,
    roles_folder,
    source_faults,
)
from labyard.models import Plan
from labyard.runs.claim import LEASE
from labyard.settings import Settings, read_settings

from .git_server import GitServer, git, serving
from .roles import role_files

HOSTS = ("git.example.org", "git.example.org:8443")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with serving(folder) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, server: GitServer) -> Settings:
    made = read_settings({"LABYARD_HOME": str(tmp_path / "home"), "LABYARD_SOURCE_HOSTS": server.host})
    return replace(made, ca_bundle=server.ca_bundle)


def fetch(server: GitServer, settings: Settings, ref: str = "main", **about: str) -> FetchedConfiguration:
    return fetch_source(Source(server.url("roles"), ref, about.get("path", "")), settings)


def files_of(found: FetchedConfiguration) -> set[str]:
    assert found.role_path is not None
    return {str(p.relative_to(found.role_path)) for p in found.role_path.rglob("*") if not p.is_dir()}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"repository": "http://git.example.org/r.git"}, "source.repository"),
        ({"repository": "file:///srv/r.git"}, "source.repository"),
        ({"repository": "ext::sh -c id"}, "source.repository"),
        ({"repository": "git@git.example.org:r.git"}, "source.repository"),
        ({"repository": "ssh://git.example.org/r.git"}, "source.repository"),
        ({"repository": "--upload-pack=id"}, "source.repository"),
        ({"repository": "https://me:word@git.example.org/r.git"}, "source.repository"),
        ({"repository": "https://git.example.org:444/r.git"}, "source.repository"),
        ({"repository": "https://other.example.org/r.git"}, "source.repository"),
        ({"repository": "https://git.example.org.evil.test/r.git"}, "source.repository"),
        ({"repository": "https://git.example.org/r.git?x=1"}, "source.repository"),
        ({"repository": "https://git.example.org/r.git#x"}, "source.repository"),
        ({"repository": ""}, "source.repository"),
        ({"ref": ""}, "source.ref"),
        ({"ref": "-x"}, "source.ref"),
        ({"ref": "a..b"}, "source.ref"),
        ({"ref": "a b"}, "source.ref"),
        ({"ref": "refs:x"}, "source.ref"),
        ({"path": "/etc"}, "source.path"),
        ({"path": "../x"}, "source.path"),
        ({"path": ".git/hooks"}, "source.path"),
        ({"path": "a:b"}, "source.path"),
        ({"branch": "main"}, "source.branch"),
    ],
)
def test_bad_source_is_refused_at_its_key(change: dict[str, str], place: str) -> None:
    good = {"repository": "https://git.example.org/r.git", "ref": "main", "path": "roles/echo"}
    assert source_faults(good, HOSTS) == {}
    assert list(source_faults({**good, **change}, HOSTS)) == [place]


def test_named_port_is_allowed_and_no_host_is_by_default() -> None:
    source = {"repository": "https://Git.example.org:8443/r.git", "ref": "v1"}
    assert source_faults(source, HOSTS) == {}
    assert "LABYARD_SOURCE_HOSTS" in source_faults(source, ())["source.repository"]


def test_branch_is_fetched_with_its_commit_and_again_when_it_moves(
    server: GitServer, settings: Settings
) -> None:
    first = server.commit("roles", {**role_files("roles/echo"), "README.md": "no part of the role"})
    found = fetch(server, settings, path="roles/echo")
    assert found.commit == first
    assert files_of(found) == set(role_files())
    asked = len(server.asked)
    assert fetch(server, settings, path="roles/echo") == found
    assert (
        server.asked[asked:].count("/roles.git/git-upload-pack") == 1
    )  # asked for the branch, not for files
    second = server.commit("roles", role_files("roles/echo", message="Other."))
    moved = fetch(server, settings, path="roles/echo")
    assert moved.commit == second != first
    assert moved.role_path is not None
    assert "Other." in (moved.role_path / "tasks/install.yml").read_text()


def test_commit_and_tag_are_pinned(server: GitServer, settings: Settings) -> None:
    first = server.commit("roles", role_files())
    server.tag("roles", "v1.0")
    server.commit("roles", role_files(message="Other."))
    assert fetch(server, settings, "v1.0").commit == first
    assert fetch(server, settings, first).commit == first


def test_commit_that_is_here_needs_no_network(server: GitServer, settings: Settings) -> None:
    first = server.commit("roles", role_files())
    found = fetch(server, settings, first)
    asked = len(server.asked)
    assert fetch(server, settings, first) == found
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("ref", "path", "words"),
    [
        ("nowhere", "", "no tag or branch nowhere"),
        ("0" * 40, "", "not our ref|0{40}"),
        ("main", "roles/none", "no folder roles/none"),
        ("main", "meta/service.yml", "no folder|not a tree"),
    ],
)
def test_what_is_not_there_is_named(
    server: GitServer, settings: Settings, ref: str, path: str, words: str
) -> None:
    server.commit("roles", role_files())
    with pytest.raises(SourceError, match=words):
        fetch(server, settings, ref, path=path)


def test_repository_that_is_not_there_is_said(server: GitServer, settings: Settings) -> None:
    with pytest.raises(SourceError, match=r"could not be fetched from https.*not found"):
        fetch(server, settings)


def test_server_that_does_not_listen_is_said(server: GitServer, settings: Settings) -> None:
    there = Source("https://127.0.0.1:1/roles.git", "main", "")
    with pytest.raises(SourceError, match="Failed to connect"):
        fetch_source(there, replace(settings, source_hosts=("127.0.0.1:1",)))


def test_certificate_must_be_trusted(server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files())
    with pytest.raises(SourceError, match="certificate"):
        fetch(server, replace(settings, ca_bundle=None))


def test_redirect_is_not_followed(server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files())
    server.redirect = server.url("roles") + "/info/refs?service=git-upload-pack"
    with pytest.raises(SourceError, match="302"):
        fetch(server, settings)
    assert len(server.asked) == 1


def test_host_that_is_no_longer_allowed_is_not_asked(server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files())
    with pytest.raises(SourceError, match="LABYARD_SOURCE_HOSTS"):
        fetch(server, replace(settings, source_hosts=()))
    assert server.asked == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "tasks/../../outside"])
def test_link_out_of_the_role_is_refused(server: GitServer, settings: Settings, target: str) -> None:
    files = {**role_files("roles/echo"), "outside": "x"}
    server.commit("roles", files, links={"roles/echo/evil": target})
    with pytest.raises(SourceError, match="leads out of the role"):
        fetch(server, settings, path="roles/echo")
    assert not list((settings.home / "sources").glob("*/*"))


def test_link_through_a_link_out_of_the_role_is_refused(server: GitServer, settings: Settings) -> None:
    files = {**role_files("echo"), "echo/a/b/c/d/file": "x"}
    links = {"echo/a/b/c/up": "../../..", "echo/evil": "a/b/c/up/../secret"}
    server.commit("roles", files, links=links)
    with pytest.raises(SourceError, match="leads out of the role"):
        fetch(server, settings, path="echo")


def test_link_inside_of_the_role_is_kept(server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files("echo"), links={"echo/tasks/update.yml": "install.yml"})
    found = fetch(server, settings, path="echo")
    assert found.role_path is not None
    assert (found.role_path / "tasks/update.yml").read_text().startswith("---")


def test_submodule_is_refused(server: GitServer, settings: Settings) -> None:
    commit = server.commit("roles", role_files("echo"))
    work = server.folder / "roles.work"
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{commit},echo/sub")
    git(work, "commit", "--quiet", "--message", "sub")
    git(work, "push", "--quiet", "origin", "main")
    with pytest.raises(SourceError, match="submodule sub"):
        fetch(server, settings, path="echo")


def test_filters_and_hooks_of_the_repository_do_nothing(server: GitServer, settings: Settings) -> None:
    files = role_files("echo") | {
        ".gitattributes": "* filter=evil ident export-subst\n",
        "echo/hooks/post-checkout": "#!/bin/sh\ntouch /tmp/labyard-test-evil\n",
        "echo/words": "$Id$ $Format:%H$ \r\n",
    }
    server.commit("roles", files)
    found = fetch(server, settings, path="echo")
    assert found.role_path is not None
    assert (found.role_path / "words").read_bytes() == b"$Id$ $Format:%H$ \r\n"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(pack=1024 * 1024), "larger than 1 MiB"),
        (Limits(tree=1024 * 1024), "files are larger than 1 MiB"),
        (Limits(files=3), "more than 3"),
    ],
)
def test_size_is_limited(server: GitServer, settings: Settings, limits: Limits, words: str) -> None:
    server.commit("roles", role_files() | {"large": os.urandom(2 * 1024 * 1024)})
    with pytest.raises(SourceError, match=words):
        fetch_source(Source(server.url("roles"), "main", ""), settings, limits)
    assert not list(settings.home.glob(".fetch-*"))


def test_time_is_limited_and_nothing_is_left(server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files())
    server.gate.clear()
    with pytest.raises(SourceError, match=r"longer than 0\.5 s"):
        fetch_source(Source(server.url("roles"), "main", ""), settings, Limits(seconds=0.5))
    assert not list(settings.home.glob(".fetch-*"))


def test_what_a_killed_fetch_left_is_removed(settings: Settings) -> None:
    old, new = settings.home / ".fetch-old", settings.home / ".fetch-new"
    for folder in (old, new):
        (folder / "repository").mkdir(parents=True)
    os.utime(old, (1000, 1000))
    remove_leftovers(settings, 2000)
    assert (old.exists(), new.exists()) == (False, True)


def test_fetch_ends_before_the_lease_of_a_command_does() -> None:
    assert Limits().seconds < LEASE.total_seconds() - 5


def test_run_gets_a_copy_under_the_full_name(server: GitServer, settings: Settings, tmp_path: Path) -> None:
    commit = server.commit("roles", role_files("echo"))
    source = {"repository": server.url("roles"), "ref": "main", "path": "echo"}
    plan = Plan(name="echo", configuration="site.services.echo", source=source)
    found = fetch_configuration(plan, tmp_path / "run", settings)
    assert found == FetchedConfiguration(roles_folder(tmp_path / "run") / "site.services.echo", commit)
    assert files_of(found) == set(role_files())


def test_run_goes_on_with_the_last_commit_when_the_repository_is_away(
    server: GitServer, settings: Settings, tmp_path: Path
) -> None:
    commit = server.commit("roles", role_files("echo"))
    source = {"repository": server.url("roles"), "ref": "main", "path": "echo"}
    plan = Plan(name="echo", configuration="site.services.echo", source=source)
    fetch_configuration(plan, tmp_path / "one", settings)
    server.redirect = "https://example.org/"
    assert fetch_configuration(plan, tmp_path / "two", settings, last_commit=commit).commit == commit
    with pytest.raises(SourceError):
        fetch_configuration(plan, tmp_path / "three", settings)
    with pytest.raises(SourceError):
        fetch_configuration(plan, tmp_path / "four", settings, last_commit="../../x")


def test_installed_configuration_is_not_fetched(settings: Settings, tmp_path: Path) -> None:
    plan = Plan(name="notebook", configuration="labyard.platform.notebook", source={})
    assert fetch_configuration(plan, tmp_path, settings) == FetchedConfiguration(None, "")
