"""What stands in the files: nothing of the machine they were written on, and links that lead somewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]

# Hosts that may be named: this machine, names that are reserved for examples and inner use,
# Debian's mirrors, and public pages of documentation and standards.
PUBLIC_HOSTS = {
    "127.0.0.1",
    "localhost",
    "acme-staging-v02.api.letsencrypt.org",
    "acme-v02.api.letsencrypt.org",
    "api.stripe.com",
    "blog.scaleway.com",
    "checkout.stripe.com",
    "deb.debian.org",
    "distribution.github.io",
    "docs.ansible.com",
    "docs.docker.com",
    "docs.mirantis.com",
    "docs.stripe.com",
    "example.net",
    "example.org",
    "focus.finops.org",
    "github.com",
    "index.docker.io",
    "json-schema.org",
    "jupyterhub.readthedocs.io",
    "owasp.org",
    "packages.debian.org",
    "prometheus.io",
    "sematext.com",
    "simpy.readthedocs.io",
    "www.gnu.org",
    "www.rfc-editor.org",
    "www.w3.org",
}
RESERVED_ENDINGS = (".example", ".example.org", ".example.com", ".test", ".invalid")

# Split here, so that this file does not hold what it looks for.
CERTIFICATE = "-----" + "BEGIN "
PATHS_OF_A_BUILDER = re.compile("/(?:" + "work|root|home/(?!labyard|jovyan|user)[a-z]+" + r")/[\w.-]+")
URL = re.compile(r"\bhttps?://([A-Za-z0-9.-]+)")
IMAGE_REGISTRY = re.compile(r"(?<![\w./-])(?:docker\.io|quay\.io|ghcr\.io|gcr\.io|mcr\.microsoft\.com)/\w")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def texts(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """The files that are text, with what stands in them."""
    for path in files:
        whole = REPOSITORY / path
        if whole.is_symlink():
            continue
        content = whole.read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8", errors="replace")


def test_files_when_searched_then_no_path_of_a_builders_machine_is_in_them(
    repository_files: list[Path],
) -> None:
    found = [
        f"{path}: {hit.group()}"
        for path, text in texts(repository_files)
        for hit in PATHS_OF_A_BUILDER.finditer(text)
    ]
    assert not found


def test_files_when_searched_then_no_certificate_or_key_is_in_them(repository_files: list[Path]) -> None:
    assert not [str(path) for path, text in texts(repository_files) if CERTIFICATE in text]


def test_files_when_searched_then_only_public_hosts_are_named(repository_files: list[Path]) -> None:
    found = [
        f"{path}: {host}"
        for path, text in texts(repository_files)
        if path.name != "LICENSE"
        for host in URL.findall(text)
        if "." in host and host not in PUBLIC_HOSTS and not host.endswith(RESERVED_ENDINGS)
    ]
    assert not found


def test_files_when_searched_then_no_image_comes_from_a_named_registry(repository_files: list[Path]) -> None:
    shipped = [
        path for path in repository_files if path.parts[0] in ("collection", "inventories", "playbooks")
    ]
    found = [str(path) for path, text in texts(shipped) if IMAGE_REGISTRY.search(text)]
    assert not found


def test_links_when_followed_then_each_leads_to_a_file(repository_files: list[Path]) -> None:
    dead = [
        f"{path}: {target}"
        for path, text in texts([p for p in repository_files if p.suffix == ".md"])
        for target in LINK.findall(text)
        if "://" not in target and not (REPOSITORY / path.parent / target).exists()
    ]
    assert not dead


def test_decisions_when_listed_then_they_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (REPOSITORY / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_make_when_its_targets_are_named_in_texts_then_they_exist(repository_files: list[Path]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    documents = [p for p in repository_files if p.suffix == ".md"]
    named = {
        (str(path), name)
        for path, text in texts(documents)
        for name in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text, re.M)
    }
    assert not {pair for pair in named if pair[1] not in targets}


@pytest.mark.parametrize("name", [".ci/run"])
def test_script_when_it_is_to_be_run_then_it_can_be(name: str) -> None:
    assert os.access(REPOSITORY / name, os.X_OK)
    assert "make test" in (REPOSITORY / name).read_text(encoding="utf-8")


def test_python_when_ansible_runs_it_then_it_says_its_licence(repository_files: list[Path]) -> None:
    """Ansible's rules ask for the licence in the head of every plugin."""
    code = [p for p in repository_files if p.is_relative_to("collection/plugins") and p.suffix == ".py"]
    plugins = [path for path in code if path.name != "__init__.py"]
    licence = re.compile("GPL-3.0-or-later|GNU General Public License v3")
    mute = [str(path) for path, text in texts(plugins) if not licence.search(text[:400])]
    assert not mute


def test_collection_when_python_looks_for_it_then_it_is_the_one_in_the_repository() -> None:
    """An editable install holds a link, never a copy that grows stale."""
    import ansible_collections.labyard.platform.plugins as plugins

    assert [Path(folder).resolve() for folder in plugins.__path__] == [REPOSITORY / "collection" / "plugins"]
    galaxy = yaml.safe_load((REPOSITORY / "collection" / "galaxy.yml").read_text(encoding="utf-8"))
    assert (galaxy["namespace"], galaxy["name"]) == ("labyard", "platform")
