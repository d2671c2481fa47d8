# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of the host's engine. Restic runs in a container that has the volume, whatever its driver is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import BackupError
from .restic import Wrap, names_for_restic
from .settings import Settings, Volumes

_TO_READ = ("DAC_READ_SEARCH",)
_TO_WRITE = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
ABOUT = "volume.json"
_PUT_AWAY = ".removed"  # beside homes, where those of removed deployments lie for a while
_SERVICE = "com.docker.swarm.service.name"
_SSH_FOLDER = "/ssh"  # where the image's ~/.ssh leads to


@dataclass(frozen=True)
class Volume:
    """What has to be known to make a volume again."""

    name: str
    driver: str = "local"
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it lies in containers and in snapshots; its own, so that restic finds the one before."""
        return f"/volumes/{self.name}"

    @property
    def is_gone(self) -> bool:
        """Whether its folder in a shared store was put away with its deployment, by the module home_store.

        The volume stays on nodes where it was once in use. A store that is not mounted has no such place.
        """
        folder = Path(self.options.get("device", ""))
        is_folder = self.options.get("type") == "none" and folder.name != ""
        return is_folder and (folder.parent / _PUT_AWAY).is_dir() and not folder.exists()

    @property
    def is_store(self) -> bool:
        """Whether it is the folder of a shared store in which a hub's homes lie, each a volume as well.

        The hub mounts it to make a home's folder; brought back as one, it would put all homes back at once,
        those that are in use among them.
        """
        return (
            "labyard.hub" in self.labels and "labyard.owner" not in self.labels and self.name.endswith("-all")
        )

    def as_text(self) -> str:
        """The description that is saved with it."""
        return json.dumps(asdict(self), sort_keys=True)


def parse_volume(text: str) -> Volume:
    """The description that was saved; raises BackupError."""
    try:
        return Volume(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise BackupError(f"The snapshot's description of its volume cannot be read: {error}.") from error


class Engine:
    """The docker command on this host. Methods raise BackupError with its words."""

    def __init__(self, program: str = "docker"):
        self._program = program

    def find(self, wanted: Volumes) -> list[Volume]:
        """The volumes to save, by name: none of another node, none that is gone, no store of others."""
        names = set(self._names())
        chosen = names & set(wanted.names)
        for label in wanted.labels:
            chosen |= set(self._names(f"--filter=label={label}"))
        found = [self.describe(name) for name in sorted(chosen)]
        return [volume for volume in found if not (volume.is_gone or volume.is_store)]

    def describe(self, name: str) -> Volume:
        """One volume of the engine."""
        (seen,) = json.loads(self._run("volume", "inspect", name))
        return Volume(seen["Name"], seen["Driver"], seen["Labels"] or {}, seen["Options"] or {})

    def has(self, name: str) -> bool:
        """Whether the engine has a volume of this name."""
        return name in self._names(f"--filter=name={name}")

    def users(self, name: str) -> list[str]:
        """Names of running containers that have the volume."""
        return self._run("ps", f"--filter=volume={name}", "--format={{.Names}}").split()

    def inside(self, service: str) -> tuple[str, ...]:
        """The words before a program that run it in the container of a swarm's service on this host."""
        found = self._run(
            "ps", "--quiet", "--filter=status=running", f"--filter=label={_SERVICE}={service}"
        ).split()
        if not found:
            raise BackupError(
                f"No container of the service {service} runs on this host. Start it, or name the host that "
                "has it as backup_keeper."
            )
        return (self._program, "exec", "--interactive", found[0])

    def fill(self, image: str, volume: str, target: str, command: Sequence[str], source: Path) -> None:
        """Have a program of an image, as the image's own user, fill a volume from a file, which it reads."""
        mount = _mount("volume", volume, target)
        start = ["run", "--rm", "--interactive", "--pull=never", "--network=none", "--cap-drop=ALL"]
        limits = ["--security-opt=no-new-privileges", mount, f"--entrypoint={command[0]}"]
        self._run(*start, *limits, image, *command[1:], source=source)

    def create(self, volume: Volume) -> None:
        """Make a volume as it was; one that is there stays."""
        labels = [f"--label={k}={v}" for k, v in sorted(volume.labels.items())]
        options = [f"--opt={k}={v}" for k, v in sorted(volume.options.items())]
        if volume.options.get("type") == "none":  # a folder of the host, which the engine does not make
            Path(volume.options.get("device", "/")).mkdir(parents=True, exist_ok=True)
        self._run("volume", "create", f"--driver={volume.driver}", *labels, *options, volume.name)

    def is_empty(self, settings: Settings, volume: Volume) -> bool:
        """Whether nothing lies in it."""
        return not self._in_volume(settings, volume, "find", "-mindepth", "1", "-print", "-quit").strip()

    def clear(self, settings: Settings, volume: Volume) -> None:
        """Delete all that lies in it."""
        self._in_volume(settings, volume, "find", "-mindepth", "1", "-delete")

    def to_save(self, settings: Settings, volume: Volume, about: Path) -> Wrap:
        """Has restic run with the volume, which it can only read."""
        mounts = [
            _mount("volume", volume.name, f"{volume.place}/data", "readonly", "volume-nocopy"),
            _mount("bind", str(about), f"{volume.place}/about", "readonly"),
            "--read-only",
        ]
        return self._wrap(settings, mounts, _TO_READ)

    def to_restore(self, settings: Settings, source: Volume, target: str) -> Wrap:
        """Has restic run with the volume `target` at the place where `source` was saved from."""
        return self._wrap(
            settings, [_mount("volume", target, f"{source.place}/data", "volume-nocopy")], _TO_WRITE
        )

    def _in_volume(self, settings: Settings, volume: Volume, program: str, *arguments: str) -> str:
        mount = _mount("volume", volume.name, f"{volume.place}/data", "volume-nocopy")
        place = f"{volume.place}/data"
        start = [*_bare_container([mount], _TO_WRITE), "--network=none", f"--entrypoint={program}"]
        return self._run(*start, image_of(settings), place, *arguments)

    def _wrap(self, settings: Settings, mounts: Sequence[str], rights: Sequence[str]) -> Wrap:
        start = [self._program, *_bare_container([*mounts, *_restic_needs(settings)], rights)]

        def wrap(command: Sequence[str]) -> list[str]:
            return [*start, f"--entrypoint={command[0]}", image_of(settings), *command[1:]]

        return wrap

    def _names(self, *filters: str) -> list[str]:
        return self._run("volume", "ls", "--quiet", *filters).split()

    def _run(self, *arguments: str, source: Path | None = None) -> str:
        try:
            with Path(source or os.devnull).open("rb") as given:
                done = subprocess.run(
                    [self._program, *arguments], stdin=given, capture_output=True, text=True, check=False
                )
        except FileNotFoundError as error:
            raise BackupError(f"There is no program {self._program} on this host.") from error
        if done.returncode != 0:
            raise BackupError(f"docker {arguments[0]}: {' '.join(done.stderr.split())[-400:]}")
        return done.stdout


def image_of(settings: Settings) -> str:
    """The image with restic in it; raises BackupError if volumes are none of this host's concern."""
    if settings.volumes is None:
        raise BackupError("This host saves no volumes: set backup_volumes_image and run the role backup.")
    return settings.volumes.image


def _bare_container(mounts: Sequence[str], rights: Sequence[str]) -> list[str]:
    """A container that goes when it has ended, with no more rights than the named ones."""
    limits = [
        "--cap-drop=ALL",
        *(f"--cap-add={right}" for right in rights),
        "--security-opt=no-new-privileges",
    ]
    return ["run", "--rm", "--init", "--pull=never", "--user=0:0", "--tmpfs=/tmp", *limits, *mounts]


def _restic_needs(settings: Settings) -> list[str]:
    """Repository, password, cache and keys, where restic on the host has them too. No secret is named."""
    local = settings.repository.removeprefix("local:")
    is_path = local.startswith("/")
    cache = settings.state / "cache"
    found = [f"--env={name}" for name in names_for_restic(settings)]
    found += [_mount("bind", str(settings.password_file), str(settings.password_file), "readonly")]
    found += [_mount("bind", str(cache), str(cache))]
    found += [_mount("bind", local, local)] if is_path else []
    if settings.ssh_folder:
        found.append(_mount("bind", settings.ssh_folder, _SSH_FOLDER, "readonly"))
    return [*found, f"--network={'none' if is_path else 'host'}"]


def _mount(kind: str, source: str, target: str, *words: str) -> str:
    if "," in source:
        raise BackupError(f"{source}: a path with a comma in it cannot be given to a container.")
    return "--mount=" + ",".join([f"type={kind}", f"source={source}", f"target={target}", *words])
