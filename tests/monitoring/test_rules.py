"""Alert rules, tried by promtool: each fires when it should, with whom it is about, and is quiet when not."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Made

HOUR, DAY = 3600, 86400
UNAME = {'node_uname_info{instance="a:9100",nodename="node-a"}': "1"}
DISK = '{instance="a:9100",device="/dev/vda1",fstype="ext4",mountpoint="/"}'
CONSOLE = 'up{job="console",instance="c"}'
RECENT = 'labyard_recent_commands{job="console",phase="install",outcome="%s"}'
SPAWNS = "jupyterhub_server_spawn_duration_seconds_%s"


@dataclass(frozen=True)
class Case:
    """Series (a number, or what promtool takes for values, one a minute), and what follows at `minutes`."""

    fires: dict[str, Any]
    quiet: dict[str, Any]
    about: str = ""  # labels that the alert carries, as a selector has them
    minutes: int = 60


def node(name: str, role: str) -> str:
    return f'labyard_node_up{{job="console",node="{name}",role="{role}"}}'


def disk(free: Any, size: Any = 100, readonly: int = 0) -> dict[str, Any]:
    names = {"avail_bytes": free, "size_bytes": size, "readonly": readonly}
    return UNAME | {f"node_filesystem_{name}{DISK}": value for name, value in names.items()}


def spawns(failed: str, good: str) -> dict[str, Any]:
    return {f'{SPAWNS % "count"}{{status="{s}"}}': v for s, v in {"failure": failed, "success": good}.items()}


def spawn_seconds(within_60: str, within_300: str) -> dict[str, Any]:
    found = {"60": within_60, "300": within_300, "+Inf": within_300}
    return {f'{SPAWNS % "bucket"}{{status="success",le="{le}"}}': value for le, value in found.items()}


PROBE = '{instance="a:9100",plan="notebook"}'
PART = '{job="parts",part="%s",instance="x"}'
BACKUP = 'labyard_backup_%s{instance="a:9100",part="database"}'
MANAGERS = [node(name, "manager") for name in "abc"]

CASES = {
    "NodeDown": Case(
        {node("a", "worker"): 1, node("b", "worker"): 0},
        {node("a", "worker"): 1},
        'node="b",severity="warning"',
    ),
    "ManagerDown": Case(
        {node("a", "manager"): 0}, {node("a", "manager"): 1, node("b", "worker"): 0}, 'node="a"'
    ),
    "LastSpareManager": Case(
        {MANAGERS[0]: 1, MANAGERS[1]: 1, MANAGERS[2]: 0}, dict.fromkeys(MANAGERS, 1), 'severity="critical"'
    ),
    "SwarmNotLookedAt": Case({"labyard_nodes_age_seconds": 130}, {"labyard_nodes_age_seconds": 110}),
    "UsageNotMetered": Case({"labyard_usage_age_seconds": 910}, {"labyard_usage_age_seconds": 890}),
    "NodeNotMeasured": Case(
        {node("a", "worker"): 1, node("b", "manager"): 1, 'up{job="nodes",instance="a"}': 1},
        {node("a", "worker"): 1, node("b", "manager"): 0, 'up{job="nodes",instance="a"}': 1},
    ),
    "DiskNearlyFull": Case(disk(9), disk(11) | {}, 'nodename="node-a",mountpoint="/"'),
    # From 25 % free to nothing within seven hours, and a disk that stays as it is.
    "DiskFullSoon": Case(disk("60-0.1x600", 200), disk(25), 'nodename="node-a"', 240),
    "InodesNearlyUsed": Case(
        UNAME | {f"node_filesystem_files_free{DISK}": 9, f"node_filesystem_files{DISK}": 100},
        # Some file systems have no such count.
        UNAME | {f"node_filesystem_files_free{DISK}": 0, f"node_filesystem_files{DISK}": 0},
        'nodename="node-a"',
    ),
    "MemoryShort": Case(
        UNAME
        | {
            'node_memory_MemAvailable_bytes{instance="a:9100"}': 4,
            'node_memory_MemTotal_bytes{instance="a:9100"}': 100,
        },
        UNAME
        | {
            'node_memory_MemAvailable_bytes{instance="a:9100"}': 6,
            'node_memory_MemTotal_bytes{instance="a:9100"}': 100,
        },
        'nodename="node-a"',
    ),
    "ClockWrong": Case(
        UNAME | {'node_time_seconds{instance="a:9100"}': "30+60x600"},
        UNAME | {'node_time_seconds{instance="a:9100"}': "5+60x600"},
        'nodename="node-a"',
    ),
    "TargetDown": Case(
        {'up{job="proxy",instance="p"}': 0}, {'up{job="proxy",instance="p"}': 1, CONSOLE: 0}, 'job="proxy"'
    ),
    "FigureFileBroken": Case(
        {
            'node_textfile_scrape_error{instance="a"}': 1,
            'node_textfile_mtime_seconds{instance="a",file="/x/backup.prom"}': 5,
        },
        # A node without the folder has nothing to read.
        {'node_textfile_scrape_error{instance="a"}': 1},
    ),
    "ConsoleAway": Case({CONSOLE: 0}, {CONSOLE: 1}, 'severity="critical"'),
    "NoWorker": Case(
        {CONSOLE: 1, 'labyard_worker_silence_seconds{job="console",worker="w"}': 61},
        {
            CONSOLE: 1,
            'labyard_worker_silence_seconds{job="console",worker="dead"}': 3000,
            'labyard_worker_silence_seconds{job="console",worker="w"}': 5,
        },
    ),
    "QueueOld": Case({"labyard_queue_age_seconds": 301}, {"labyard_queue_age_seconds": 299}),
    "DeployingFails": Case(
        {RECENT % "completed": 8, RECENT % "failed": 1, RECENT % "timeout": 2},
        {RECENT % "completed": 12, RECENT % "failed": 3, RECENT % "cancelled": 30},
        'phase="install"',
    ),
    "DeployingSlow": Case(
        {'labyard_recent_command_seconds{phase="start",quantile="0.95"}': 121},
        {
            'labyard_recent_command_seconds{phase="start",quantile="0.95"}': 119,
            'labyard_recent_command_seconds{phase="start",quantile="1"}': 500,
        },
        'phase="start"',
    ),
    "OrphansFound": Case(
        {'labyard_orphans{kind="stack"}': 1, 'labyard_orphans{kind="port"}': 0},
        {'labyard_orphans{kind="stack"}': 0},
        minutes=90,
    ),
    "ProbeFailed": Case(
        {f"labyard_probe_success{PROBE}": 0}, {f"labyard_probe_success{PROBE}": 1}, 'plan="notebook"'
    ),
    "ProbeLate": Case(
        {f"labyard_probe_code{PROBE}": 1}, {f"labyard_probe_code{PROBE}": "1x50 0x50"}, minutes=70
    ),
    "ProbeOld": Case(
        {f"labyard_probe_timestamp_seconds{PROBE}": 20 * 60},
        {f"labyard_probe_timestamp_seconds{PROBE}": 40 * 60},
    ),
    "DirectoryAway": Case(
        {f"probe_success{PART % 'directory'}": 0},
        {f"probe_success{PART % 'database'}": 0},
        'part="directory"',
    ),
    "PartAway": Case(
        {f"probe_success{PART % 'database'}": 0}, {f"probe_success{PART % 'directory'}": 0}, 'part="database"'
    ),
    "PartSlow": Case(
        {f"probe_duration_seconds{PART % 'console'}": 3}, {f"probe_duration_seconds{PART % 'console'}": 1}
    ),
    "CertificateEnds": Case(
        {f"probe_ssl_earliest_cert_expiry{PART % 'ingress'}": 14 * DAY},
        {f"probe_ssl_earliest_cert_expiry{PART % 'ingress'}": 15 * DAY},
        'part="ingress",severity="warning"',
    ),
    "CertificateEndsSoon": Case(
        {f"probe_ssl_earliest_cert_expiry{PART % 'ingress'}": 3 * DAY},
        {f"probe_ssl_earliest_cert_expiry{PART % 'ingress'}": 4 * DAY},
        'severity="critical"',
    ),
    "BackupOld": Case(
        {BACKUP % "last_success_timestamp_seconds": HOUR},
        {BACKUP % "last_success_timestamp_seconds": 3 * HOUR},
        'part="database"',
        28 * 60,
    ),
    "BackupFailed": Case({BACKUP % "failed": 1}, {BACKUP % "failed": 0}, 'part="database"'),
    "BackupNotProved": Case(
        {BACKUP % "proof_failed": 0, BACKUP % "last_proof_timestamp_seconds": 0},
        {BACKUP % "proof_failed": 0, BACKUP % "last_proof_timestamp_seconds": 2 * DAY},
        'part="database"',
        9 * 24 * 60,
    ),
    "BackupMissing": Case({CONSOLE: 1}, {BACKUP % "last_success_timestamp_seconds": 0}),
    "SpawningFails": Case(spawns("0+1x600", "0+2x600"), spawns("0+1x600", "0+9x600")),
    "SpawningSlow": Case(spawn_seconds("0+1x600", "0+2x600"), spawn_seconds("0+2x600", "0+2x600")),
}
# Further ways in which an alert fires.
MORE = {
    "ConsoleAway": {node("a", "worker"): 1},  # nobody knows of it at all
    "NoWorker": {CONSOLE: 1},  # there never was one
    "NodeNotMeasured": {node("a", "worker"): 1},
    "ProbeOld": {CONSOLE: 1},
    "BackupNotProved": {BACKUP % "proof_failed": 1},
}


def step(minutes: int) -> int:
    """Minutes between two looks at the rules: days are gone through in larger steps."""
    return 30 if minutes > 1000 else 1


def values(value: Any, minutes: int) -> str:
    """A number as a line of samples."""
    return value if isinstance(value, str) and "x" in value else f"{value}x{minutes // step(minutes) + 5}"


def one_test(name: str, series: dict[str, Any], minutes: int, expression: str, count: int) -> dict[str, Any]:
    """A test of promtool: as many alerts are firing after that time."""
    samples = [{"labels": "{}", "value": count}] if count else []
    return {
        "name": name,
        "interval": f"{step(minutes)}m",
        "input_series": [{"series": s, "values": values(v, minutes)} for s, v in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": f"{minutes}m", "exp_samples": samples}],
    }


def firing(alert: str, about: str = "") -> str:
    """How many alerts of that name are firing."""
    more = f",{about}" if about else ""
    return f'count(ALERTS{{alertname="{alert}",alertstate="firing"{more}}})'


def run_tests(promtool: str, full: Made, folder: Path, tests: list[dict[str, Any]]) -> None:
    (folder / "rules.yml").write_text(full.config("rules"))
    document = {"rule_files": ["rules.yml"], "evaluation_interval": tests[0]["interval"], "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def alerts_of(made: Made) -> list[dict[str, Any]]:
    """All alert rules."""
    groups = yaml.safe_load(made.config("rules"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_alerts_when_listed_then_each_has_a_case(full: Made) -> None:
    assert {rule["alert"] for rule in alerts_of(full)} == set(CASES)


@pytest.mark.parametrize("alert", CASES)
def test_alert_when_tried_then_it_fires_for_its_cause_alone(
    full: Made, promtool: str, tmp_path: Path, alert: str
) -> None:
    case = CASES[alert]
    tests = [
        one_test("fires", case.fires, case.minutes, firing(alert, case.about), 1),
        one_test("quiet", case.quiet, case.minutes, firing(alert), 0),
    ]
    if alert in MORE:
        tests.append(one_test("fires too", MORE[alert], case.minutes, firing(alert), 1))
    run_tests(promtool, full, tmp_path, tests)


def test_alert_when_its_cause_is_short_then_it_waits(full: Made, promtool: str, tmp_path: Path) -> None:
    """A node that restarts within a minute, a console that is being upgraded: nobody is woken."""
    tests = [
        one_test("node", {node("b", "worker"): "1x10 0 1x60"}, 11, firing("NodeDown"), 0),
        one_test("console", {CONSOLE: "1x10 0x1 1x60"}, 12, firing("ConsoleAway"), 0),
        one_test("console stays away", {CONSOLE: "1x10 0x60"}, 14, firing("ConsoleAway"), 1),
    ]
    run_tests(promtool, full, tmp_path, tests)


def test_alert_when_it_is_read_then_it_says_what_is_and_what_to_do(
    full: Made, promtool: str, tmp_path: Path
) -> None:
    def read(alert: str, series: dict[str, Any], labels: dict[str, str], summary: str) -> dict[str, Any]:
        rule = next(rule for rule in alerts_of(full) if rule["alert"] == alert)
        test = one_test(alert, series, 60, firing(alert), 1)
        texts = {"summary": summary, "step": rule["annotations"]["step"]}
        expected = {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": texts}
        test["alert_rule_test"] = [{"eval_time": "60m", "alertname": alert, "exp_alerts": [expected]}]
        return test

    tests = [
        read(
            "DiskNearlyFull",
            disk(9),
            {
                "instance": "a:9100",
                "nodename": "node-a",
                "device": "/dev/vda1",
                "fstype": "ext4",
                "mountpoint": "/",
            },
            "/ of node-a has 9% left.",
        ),
        read(
            "DeployingFails",
            CASES["DeployingFails"].fires,
            {"phase": "install"},
            "3 commands of the phase install have failed within half an hour.",
        ),
        read(
            "CertificateEnds",
            {f"probe_ssl_earliest_cert_expiry{PART % 'ingress'}": 10 * DAY + HOUR},
            {"part": "ingress", "instance": "x", "job": "parts"},
            "The certificate of ingress ends in 10d 0h 0m 0s.",
        ),
    ]
    run_tests(promtool, full, tmp_path, tests)


def test_alerts_when_listed_then_each_has_severity_summary_and_step(full: Made) -> None:
    for rule in alerts_of(full):
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["annotations"]["step"], rule["alert"]


def test_alerts_when_nothing_is_said_then_only_those_that_can_be_judged(bare: Made) -> None:
    text = json.dumps(alerts_of(bare))
    assert "NodeDown" not in text
    assert "ConsoleAway" not in text
    assert "DiskNearlyFull" in text
    assert not re.search(r"\[\[|\[%", bare.config("rules"))
