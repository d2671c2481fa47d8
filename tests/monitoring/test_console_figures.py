"""What the console and the probe tell Prometheus, read by Prometheus' own tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from labyard.app import create_app
from labyard.commandline.probing import Result
from labyard.migrate import upgrade_tables
from labyard.models import Node, db
from labyard.settings import read_settings


def check_metrics(promtool: str, text: str) -> None:
    """Have promtool read figures; it must have nothing to say."""
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_console_when_asked_for_its_figures_then_prometheus_can_read_them(
    promtool: str, tmp_path: Path
) -> None:
    app = create_app(read_settings({"LABYARD_HOME": str(tmp_path)}), TESTING=True)
    with app.app_context():
        upgrade_tables()
        db.session.add(Node(id="a", hostname='no"de', state="ready", availability="active"))
        db.session.commit()
    answer = app.test_client().get("/metrics")
    with app.app_context():
        db.engine.dispose()
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert r'labyard_node_up{node="no\"de",role="worker"} 1' in answer.text
    check_metrics(promtool, answer.text)


def test_probe_when_it_has_ended_then_prometheus_can_read_its_figures(promtool: str) -> None:
    result = Result(seconds={"deploy": 6.25, "ready": 7.5, "remove": 3.0})
    text = result.metrics('note"book', 1_700_000_000.4)
    assert r'labyard_probe_timestamp_seconds{plan="note\"book"} 1700000000' in text
    check_metrics(promtool, text)
