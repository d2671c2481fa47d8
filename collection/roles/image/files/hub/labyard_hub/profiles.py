"""What people choose from before a notebook starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Profile:
    """One shape of a notebook."""

    name: str
    title: str
    image: str
    cpu_limit: float  # cores
    memory_limit: int  # MiB
    cpu_reservation: float  # cores that are set aside
    memory_reservation: int  # MiB that are set aside

    def resources(self, processes: int) -> dict[str, Any]:
        """As the Engine has it; `processes` is the most there may be, 0 for any number."""
        limits: dict[str, int] = {
            "NanoCPUs": round(self.cpu_limit * 1e9),
            "MemoryBytes": self.memory_limit * _MEBIBYTE,
        }
        if processes:
            limits["Pids"] = processes
        reserved = {
            "NanoCPUs": round(self.cpu_reservation * 1e9),
            "MemoryBytes": self.memory_reservation * _MEBIBYTE,
        }
        return {"Limits": limits, "Reservations": reserved}

    def size(self) -> str:
        """In words for people."""
        cores = "1 core" if self.cpu_limit == 1 else f"{self.cpu_limit:g} cores"
        memory = (
            f"{self.memory_limit} MiB" if self.memory_limit < 1024 else f"{self.memory_limit / 1024:g} GiB"
        )
        return f"{cores}, {memory}"


def read_profiles(documents: Sequence[Mapping[str, Any]]) -> dict[str, Profile]:
    """Profiles by name, in their order; the first is what is taken where nobody chose."""
    profiles = [Profile(**document) for document in documents]
    return {profile.name: profile for profile in profiles}


def choice_form(profiles: Mapping[str, Profile]) -> str:
    """The part of a form in which one is chosen; empty if there is no choice."""
    if len(profiles) < 2:
        return ""
    rows = [_row(profile, checked=number == 0) for number, profile in enumerate(profiles.values())]
    return "<fieldset><legend>What shall it be?</legend>" + "".join(rows) + "</fieldset>"


def _row(profile: Profile, *, checked: bool) -> str:
    name, mark = escape(profile.name), " checked" if checked else ""
    return (
        '<div class="form-check">'
        f'<input class="form-check-input" type="radio" name="profile" value="{name}"'
        f' id="profile-{name}"{mark}>'
        f'<label class="form-check-label" for="profile-{name}">'
        f"<strong>{escape(profile.title)}</strong> ({escape(profile.size())})</label></div>"
    )


def choose(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile of that name, the first for no name; raises ValueError with words for the person."""
    if not name:
        return next(iter(profiles.values()))
    if name not in profiles:
        raise ValueError(f"There is no profile {name}. Choose one of: {', '.join(profiles)}.")
    return profiles[name]
