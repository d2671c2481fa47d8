"""The probe: deploys something small, sees whether it answers, removes it, and says how long that took."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from labyard.errors import DomainError, Unavailable

from .client import Console, Refused
from .exits import NOT_ALLOWED, NOT_FOUND, WRONG, TimedOut, exit_code
from .follow import wait_for_command

PREFIX = "probe-"
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3  # the exit codes of Nagios' plugins
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_FAILED = 9
_MOST_LEFT = 20  # deployments of earlier probes that are removed in one go
_PAUSE = 0.5  # seconds between two looks at an address
_ALPHABET = string.ascii_lowercase + string.digits

Clock = Callable[[], float]


@dataclass(frozen=True)
class Wanted:
    """What is deployed, and how long it may take."""

    plan: str
    params: Mapping[str, Any] = field(default_factory=dict)
    project: str | None = None
    warning: float = 60.0  # seconds until it answers, above which it is late
    critical: float = 300.0  # seconds until it answers, after which it is given up
    removal: float = 300.0  # seconds for the removal
    answer: bool = True  # ask the address of the deployment
    verify: bool | str = True  # of that address: see Console.verify


@dataclass
class Result:
    """What a probe has found: the exit code, a sentence, and seconds by step."""

    code: int = OK
    words: list[str] = field(default_factory=list)
    # deploy, answer, ready (both: from the request until it answers) and remove; those that came about
    seconds: dict[str, float] = field(default_factory=dict)

    def worsen(self, code: int, words: str) -> None:
        """Note that something is not right."""
        self.code = max(self.code, code)
        self.words.append(words)

    def line(self, wanted: Wanted) -> str:
        """One line as Nagios reads it: state, words, and figures after a bar."""
        words = " ".join(" ".join(self.words).split()).replace("|", "/")
        limits = {"ready": f"{wanted.warning:g};{wanted.critical:g}", "remove": f";{wanted.removal:g}"}
        figures = [f"{n}={s:.2f}s;{limits.get(n, ';')};0" for n, s in self.seconds.items()]
        return f"LABYARD {_WORDS[self.code]} - {words}" + (f" | {' '.join(figures)}" if figures else "")

    def metrics(self, plan: str, now: float) -> str:
        """The same for Prometheus, as node-exporter reads it from a file; `now`: seconds since 1970."""
        name = plan.replace("\\", r"\\").replace('"', r"\"")
        lines = [
            "# HELP labyard_probe_success Whether the last probe could deploy, reach and remove.",
            "# TYPE labyard_probe_success gauge",
            f'labyard_probe_success{{plan="{name}"}} {int(self.code in (OK, WARNING))}',
            "# HELP labyard_probe_code Exit code of the last probe: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
            "# TYPE labyard_probe_code gauge",
            f'labyard_probe_code{{plan="{name}"}} {self.code}',
            "# HELP labyard_probe_timestamp_seconds When the last probe ended.",
            "# TYPE labyard_probe_timestamp_seconds gauge",
            f'labyard_probe_timestamp_seconds{{plan="{name}"}} {now:.0f}',
            "# HELP labyard_probe_seconds How long the steps of the last probe took.",
            "# TYPE labyard_probe_seconds gauge",
        ]
        lines += [
            f'labyard_probe_seconds{{plan="{name}",step="{step}"}} {seconds:.3f}'
            for step, seconds in self.seconds.items()
        ]
        return "\n".join(lines) + "\n"


def probe(console: Console, wanted: Wanted, clock: Clock = time.monotonic) -> Result:
    """Deploy, reach and remove. Whatever happens, what was deployed is removed, now or by the next probe."""
    result = Result()
    try:
        _remove_leftovers(console, wanted, result)
        name = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(8))
        deployment = _deploy(console, wanted, name, result, clock)
    except DomainError as error:
        result.worsen(judge(error), error.detail + "".join(f" {k}: {v}." for k, v in error.errors.items()))
        return result
    _remove(console, deployment, wanted, result, clock)
    if result.code == OK:
        result.words.append(f"{wanted.plan} was ready after {result.seconds['ready']:.1f} s.")
    return result


def judge(error: DomainError) -> int:
    """What an error says about the platform: what we asked wrongly says nothing about it."""
    return UNKNOWN if exit_code(error) in (WRONG, NOT_ALLOWED, NOT_FOUND) else CRITICAL


def _deploy(console: Console, wanted: Wanted, name: str, result: Result, clock: Clock) -> str:
    """The id of the new deployment; what is wrong with it is noted in `result`.

    Raises Refused or Unavailable if there is none.
    """
    begin = clock()
    body = {"plan": wanted.plan, "phase": "install", "name": name, "params": dict(wanted.params)}
    body |= {"project": wanted.project} if wanted.project else {}
    command = console.call("POST", "commands", body)
    deployment = str(command["deployment"]["id"])
    try:
        command = _wait(console, command, wanted.critical)
        result.seconds["deploy"] = clock() - begin
        if command["state"] == _FAILED:
            result.worsen(CRITICAL, f"{wanted.plan} could not be deployed: {command['message']}")
        elif wanted.answer:
            _reach(command, wanted, begin, result, clock)
    except TimedOut:
        result.worsen(CRITICAL, f"{wanted.plan} was not ready within {wanted.critical:g} s.")
        _cancel(console, command["id"], wanted)
    except DomainError as error:
        result.worsen(CRITICAL, error.detail)
    _note_ready(wanted, result, clock() - begin)
    return deployment


def _note_ready(wanted: Wanted, result: Result, seconds: float) -> None:
    if result.code == CRITICAL:
        return
    result.seconds["ready"] = seconds
    if seconds > wanted.warning:
        words = f"{wanted.plan} was ready after {seconds:.1f} s, more than {wanted.warning:g} s."
        result.worsen(WARNING, words)


def _reach(command: Mapping[str, Any], wanted: Wanted, begin: float, result: Result, clock: Clock) -> None:
    """Wait until the address of the deployment gives any answer that is not a fault of a server."""
    endpoints = command["deployment"]["endpoints"]
    if not endpoints:
        result.worsen(CRITICAL, f"{wanted.plan} was deployed and has no address.")
        return
    url, since, seen = endpoints[0]["url"], clock(), "no answer"
    while True:
        try:
            # A redirection to a sign-in is an answer; it is not for the probe to go there.
            answer = requests.get(url, timeout=10, allow_redirects=False, verify=wanted.verify, stream=True)
            answer.close()
            if answer.status_code < 500:
                result.seconds["answer"] = clock() - since
                return
            seen = f"status {answer.status_code}"
        except requests.RequestException as error:
            seen = type(error).__name__
        if clock() - begin > wanted.critical:
            result.worsen(CRITICAL, f"{url} did not answer within {wanted.critical:g} s ({seen}).")
            return
        time.sleep(_PAUSE)


def _remove(console: Console, deployment: str, wanted: Wanted, result: Result, clock: Clock) -> None:
    """Remove what was deployed, with its data; that it stays is as bad as that it does not come."""
    begin = clock()
    try:
        command = _wait(console, _ask_removal(console, deployment), wanted.removal)
    except DomainError as error:
        words = "it took too long" if isinstance(error, TimedOut) else error.detail
        result.worsen(CRITICAL, f"The deployment {deployment} could not be removed: {words}")
        return
    result.seconds["remove"] = clock() - begin
    if command["state"] == _FAILED:
        result.worsen(CRITICAL, f"The deployment {deployment} could not be removed: {command['message']}")


def _remove_leftovers(console: Console, wanted: Wanted, result: Result) -> None:
    """Remove what earlier probes of the same person left, because they were cut off or could not.

    What is younger than a probe can last may be another probe's, which is at work.
    """
    owner = console.call("GET", "user")["username"]
    query = {"search": PREFIX, "owner": owner, "plan": wanted.plan}
    before = datetime.now(UTC) - timedelta(seconds=wanted.critical + 2 * wanted.removal)
    for deployment in console.items("deployments", query, _MOST_LEFT)["items"]:
        if datetime.fromisoformat(deployment["created_at"]) > before:
            continue
        try:
            _wait(console, _ask_removal(console, deployment["id"]), wanted.removal)
        except (Refused, TimedOut) as error:
            words = f"{deployment['name']}, which an earlier probe left, could not be removed: {error.detail}"
            result.worsen(WARNING, words)


def _ask_removal(console: Console, deployment: str) -> dict[str, Any]:
    body = {"deployment": deployment, "phase": "remove", "params": {"keep_data": False}}
    asked: dict[str, Any] = console.call("POST", "commands", body)
    return asked


def _cancel(console: Console, command: str, wanted: Wanted) -> None:
    """Cancel a command that takes too long, so that the removal need not wait for it; best effort."""
    try:
        _wait(console, console.call("POST", f"commands/{command}/cancel"), wanted.removal)
    except (Refused, TimedOut, Unavailable):
        return  # the removal says what is wrong


def _wait(console: Console, command: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The command as it ended; raises TimedOut, Refused, Unavailable."""
    for seen in wait_for_command(console, command["id"], timeout):
        command = seen
    return command
