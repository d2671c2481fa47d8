"""Configurations that are fetched from a git repository: checked, fetched, kept by commit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.labyard.platform.plugins.module_utils._request.request import PlanSpec
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import META_FILES
from labyard.addresses import AddressError, split_url
from labyard.models import Plan
from labyard.settings import Settings

from .configurations import ConfigurationUnavailable
from .git import MIB, Entry, Git, GitError, Limits

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")  # of a path: no hidden folder, none above
_LINK, _SUBMODULE = "120000", "160000"
_WORK = ".fetch-"  # begins the names of folders in which fetches work
_KEPT = 10  # copies of a role, one for each commit
_KEYS = ("repository", "ref", "path")


class SourceError(ConfigurationUnavailable):
    """A configuration could not be fetched; the text says why and what to do."""


@dataclass(frozen=True)
class Source:
    """Where a role lies."""

    repository: str  # https URL
    ref: str  # a commit's full number, a tag or a branch
    path: str  # the role's folder in the repository; "" for the repository itself

    @property
    def pinned(self) -> bool:
        """Whether it names a commit, which never changes."""
        return _COMMIT.fullmatch(self.ref) is not None


@dataclass(frozen=True)
class FetchedConfiguration:
    """A role on this machine."""

    role_path: Path | None  # None: the configuration is an installed one
    commit: str  # "" for an installed one


def source_faults(document: Mapping[str, str], hosts: Sequence[str]) -> dict[str, str]:
    """What is wrong with a plan's `source`, by key; `hosts` are the allowed ones (HOST or HOST:PORT)."""
    faults = {f"source.{key}": f"is not known; known are {', '.join(_KEYS)}" for key in document
              if key not in _KEYS}  # fmt: skip
    fault = _repository_fault(document.get("repository", ""), hosts)
    if fault:
        faults["source.repository"] = fault
    ref = document.get("ref", "")
    if not _REF.fullmatch(ref) or ".." in ref or "//" in ref or ref.endswith((".lock", "/", ".")):
        faults["source.ref"] = "must be the full number of a commit, or the name of a tag or branch"
    parts = PurePosixPath(document.get("path", "")).parts
    if document.get("path", "").startswith("/") or not all(_PART.fullmatch(part) for part in parts):
        faults["source.path"] = "must be a folder in the repository, such as roles/notebook"
    return faults


def fetch_source(source: Source, settings: Settings, limits: Limits = Limits()) -> FetchedConfiguration:  # noqa: B008 (frozen)
    """The role at `source`, fetched unless its commit is here already; raises SourceError.

    A tag or branch is looked up each time, a commit is not: once fetched, it needs no network.
    """
    faults = source_faults({key: getattr(source, key) for key in _KEYS}, settings.source_hosts)
    if faults:
        raise SourceError("; ".join(f"{place} {text}" for place, text in faults.items()))
    shelf = _shelf(settings, source)
    kept = _take(shelf, source.ref) if source.pinned else None
    if kept:
        return kept
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tempfile.TemporaryDirectory(prefix=_WORK, dir=settings.home) as work:
            git = Git(Path(work) / "repository", limits, settings.ca_bundle)
            return _fetch(git, source, shelf, Path(work) / "role")
    except (GitError, OSError) as error:
        raise SourceError(
            f"The configuration could not be fetched from {source.repository} ({source.ref}): {error}. "
            "Look at the repository, and at the plan's source."
        ) from error


def fetch_configuration(
    plan: Plan | PlanSpec, folder: Path, settings: Settings, last_commit: str = ""
) -> FetchedConfiguration:
    """Lay the role of `plan` into the run's `folder`, where Ansible finds it; raises SourceError.

    It lies in `folder`/roles under the configuration's full name: see `roles_folder`. If the
    repository does not answer, the copy of `last_commit` serves, if there is one: what runs can
    still be stopped and removed. Takes no longer than `Limits.seconds`; touches no database.
    """
    if not plan.source:
        return FetchedConfiguration(None, "")
    source = source_of(plan)
    try:
        fetched = fetch_source(source, settings)
    except SourceError:
        kept = _take(_shelf(settings, source), last_commit) if _COMMIT.fullmatch(last_commit) else None
        if kept is None:
            raise
        fetched = kept
    place = roles_folder(folder) / plan.configuration
    try:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(fetched.role_path or "", place, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise SourceError(f"The configuration could not be copied to {place}: {error}") from error
    return FetchedConfiguration(place, fetched.commit)


def roles_folder(folder: Path) -> Path:
    """Where the fetched role of the run in `folder` lies; belongs into ANSIBLE_ROLES_PATH."""
    return folder / "roles"


def source_of(plan: Plan | PlanSpec) -> Source:
    """The plan's source as a value."""
    return Source(*(plan.source.get(key, "") for key in _KEYS))


def read_texts(role: Path) -> dict[str, str]:
    """The two files of a fetched role that forms are made from: specs, sidecar; raises SourceError."""
    texts = {}
    for key, file in zip(("specs", "sidecar"), META_FILES, strict=True):
        try:
            texts[key] = (role / "meta" / file).read_text(encoding="utf-8")
        except OSError as error:
            raise SourceError(f"The fetched role has no meta/{file}: it is no service.") from error
        except UnicodeDecodeError as error:
            raise SourceError(f"The fetched role's meta/{file} is not UTF-8.") from error
    return texts


def remove_leftovers(settings: Settings, before: float) -> None:
    """Remove what fetches have left that were cut off before that moment (seconds since 1970)."""
    for folder in settings.home.glob(f"{_WORK}*"):
        with contextlib.suppress(FileNotFoundError):  # another worker removes it
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)


def _repository_fault(url: str, hosts: Sequence[str]) -> str:
    try:
        scheme, host, port, target = split_url(url)
    except AddressError as error:
        return str(error)
    if scheme != "https":
        return "must begin with https://"
    if "?" in target or "#" in url:
        return "must not hold a query or a fragment"
    named = {host, f"{host}:443"} if port == 443 else {f"{host}:{port}"}
    if not named & {allowed.lower() for allowed in hosts}:
        known = ", ".join(hosts) or "none"
        return (
            f"names the host {host}{'' if port == 443 else f':{port}'}; configurations may be fetched from: "
            f"{known}. An operator sets them with LABYARD_SOURCE_HOSTS"
        )
    return ""


def _shelf(settings: Settings, source: Source) -> Path:
    """The folder with a copy of the role for each commit."""
    digest = hashlib.sha256(f"{source.repository}\0{source.path}".encode()).hexdigest()
    return settings.home / "sources" / digest[:16]


def _fetch(git: Git, source: Source, shelf: Path, work: Path) -> FetchedConfiguration:
    git.create()
    what = source.ref
    if not source.pinned:
        found = git.find_ref(source.repository, source.ref)
        if found is None:
            raise GitError(f"it has no tag or branch {source.ref}")
        what, commit = found
        kept = _take(shelf, commit)
        if kept:
            return kept
    commit = git.fetch(source.repository, what)
    if source.pinned and commit != source.ref:
        raise GitError(f"{source.ref} is the number of no commit")
    _unpack(git, commit, source.path, work)
    shelf.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        work.rename(shelf / commit)
    except OSError:
        if not (shelf / commit).is_dir():  # else somebody else has just fetched the same
            raise
    _forget_old(shelf)
    return FetchedConfiguration(shelf / commit, commit)


def _unpack(git: Git, commit: str, path: str, work: Path) -> None:
    """Write the files below `path` of `commit` to the new folder `work`. Nothing is checked out: no
    filter, attribute or hook of the repository has a say."""
    path = "" if path == "." else path.strip("/")
    try:
        entries = git.entries(commit, path)
    except GitError as error:
        raise GitError(f"commit {commit[:12]} has no folder {path}") from error
    _refuse(entries, git.limits)
    work.mkdir(mode=0o700)
    found = list(zip(entries, git.contents([entry.blob for entry in entries]), strict=True))
    # Links last: nothing is ever written by way of one.
    for entry, content in sorted(found, key=lambda pair: pair[0].mode == _LINK):
        place = work / entry.path
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if entry.mode == _LINK:
            place.symlink_to(os.fsdecode(content))
        else:
            place.write_bytes(content)
            place.chmod(0o700 if entry.mode == "100755" else 0o600)
    _refuse_ways_out(work, [entry for entry in entries if entry.mode == _LINK])


def _refuse(entries: Sequence[Entry], limits: Limits) -> None:
    if not entries:
        raise GitError("the folder is empty")
    if len(entries) > limits.files:
        raise GitError(f"the role has {len(entries)} files, more than {limits.files}")
    if sum(entry.size for entry in entries) > limits.tree:
        raise GitError(f"the role's files are larger than {limits.tree // MIB} MiB")
    for entry in entries:
        if entry.mode == _SUBMODULE:
            raise GitError(f"the role holds the submodule {entry.path}, and submodules are not fetched")
        if entry.path.is_absolute() or {"..", ".", ".git"} & {part.lower() for part in entry.path.parts}:
            raise GitError(f"the role holds the forbidden path {entry.path}")


def _refuse_ways_out(work: Path, links: Sequence[Entry]) -> None:
    """A link may only lead to another place in the role, by whatever other links it goes."""
    root = work.resolve()
    for link in links:
        try:
            inside = (work / link.path).resolve().is_relative_to(root)
        except (OSError, RuntimeError, ValueError):  # it leads to itself
            inside = False
        if not inside:
            raise GitError(f"the link {link.path} leads out of the role")


def _take(shelf: Path, commit: str) -> FetchedConfiguration | None:
    """The copy of `commit`, if it is here, marked as used now."""
    try:
        os.utime(shelf / commit)
    except FileNotFoundError:
        return None
    return FetchedConfiguration(shelf / commit, commit)


def _forget_old(shelf: Path) -> None:
    """Keep the copies that were used last."""
    for old in sorted(shelf.iterdir(), key=lambda copy: copy.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
