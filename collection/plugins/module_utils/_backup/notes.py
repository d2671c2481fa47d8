# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done and how it went, kept on the host and shown to Prometheus as a text file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_FILE = "notes.json"
_HELP = {
    "last_success_timestamp_seconds": "When the part was last saved with nothing left out.",
    "last_attempt_timestamp_seconds": "When it was last tried.",
    "failed": "1 if the last try failed.",
    "duration_seconds": "How long the last try took.",
    "size_bytes": "What the last good try read.",
    "added_bytes": "What the last good try added, before compression.",
    "last_proof_timestamp_seconds": "When the part was last restored for a test and found to be the same.",
    "proof_failed": "1 if the last restore for a test failed.",
}


@dataclass(frozen=True)
class Note:
    """One part's record. Times are seconds since 1970, 0: never."""

    tried: float = 0
    succeeded: float = 0
    seconds: float = 0
    size: int = 0
    added: int = 0
    error: str = ""
    proof_tried: float = 0
    proved: float = 0
    proof_error: str = ""


@dataclass(frozen=True)
class Outcome:
    """How saving or proving one part went."""

    part: str
    seconds: float = 0
    files: int = 0
    size: int = 0
    added: int = 0
    snapshots: int = 0
    error: str = ""


def read_notes(state: Path) -> dict[str, Note]:
    """The notes of earlier runs, by part."""
    try:
        found = json.loads((state / _FILE).read_text(encoding="utf-8"))
        return {part: Note(**values) for part, values in found.items()}
    except (FileNotFoundError, ValueError, TypeError):
        return {}  # what is lost here is written anew by the next run


def note_saved(notes: dict[str, Note], outcomes: Iterable[Outcome], now: float) -> dict[str, Note]:
    """The notes after saving; of parts that are no longer saved nothing stays."""
    found = {part: note for part, note in notes.items() if not note.tried}
    for outcome in outcomes:
        before = notes.get(outcome.part, Note())
        after = replace(before, tried=now, seconds=round(outcome.seconds, 3), error=outcome.error)
        if not outcome.error:
            after = replace(after, succeeded=now, size=outcome.size, added=outcome.added)
        found[outcome.part] = after
    return found


def note_proved(notes: dict[str, Note], outcomes: Iterable[Outcome], now: float) -> dict[str, Note]:
    """The notes after proving."""
    found = dict(notes)
    for outcome in outcomes:
        after = replace(found.get(outcome.part, Note()), proof_tried=now, proof_error=outcome.error)
        found[outcome.part] = after if outcome.error else replace(after, proved=now)
    return found


def write_notes(state: Path, notes: dict[str, Note], metrics_file: str) -> None:
    """Keep the notes; the file for Prometheus is there whole or not at all."""
    document = {part: asdict(note) for part, note in sorted(notes.items())}
    _write(state / _FILE, json.dumps(document, indent=1), 0o600)
    if metrics_file:
        _write(Path(metrics_file), render_metrics(notes), 0o644)


def render_metrics(notes: dict[str, Note]) -> str:
    """Prometheus' text format; what never happened is left out."""
    rows: dict[str, list[str]] = {name: [] for name in _HELP}
    for part, note in sorted(notes.items()):
        values: dict[str, float] = {}
        if note.tried:
            values |= {"last_attempt_timestamp_seconds": note.tried, "failed": int(bool(note.error))}
            values["duration_seconds"] = note.seconds
        if note.succeeded:
            values["last_success_timestamp_seconds"] = note.succeeded
            values |= {"size_bytes": note.size, "added_bytes": note.added}
        if note.proved:
            values["last_proof_timestamp_seconds"] = note.proved
        if note.proof_tried:
            values["proof_failed"] = int(bool(note.proof_error))
        for name, value in values.items():
            rows[name].append(f'labyard_backup_{name}{{part="{_escaped(part)}"}} {value:.15g}\n')
    heads = {
        name: f"# HELP labyard_backup_{name} {_HELP[name]}\n# TYPE labyard_backup_{name} gauge\n"
        for name in rows
    }
    return "".join(heads[name] + "".join(lines) for name, lines in rows.items() if lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.replace(path)
