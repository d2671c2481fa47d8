"""What nginx tells Prometheus."""

from __future__ import annotations

import subprocess

import requests

from tests.services.nginx_server import NginxServer


def test_ingress_when_asked_for_its_figures_then_connections_by_state(promtool: str) -> None:
    nginx = NginxServer("127.0.0.1:1", "s" * 32, "127.0.0.1:1", ingress_connections=512)
    nginx.start()
    try:
        answer = requests.get(f"http://127.0.0.1:{nginx.figures_port}/metrics", timeout=60)
        other = requests.get(f"http://127.0.0.1:{nginx.figures_port}/", timeout=60)
    finally:
        nginx.remove()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert 'nginx_connections{state="writing"} 1\n' in answer.text
    assert "nginx_connections_limit 512\n" in answer.text
    assert other.status_code == 404
    done = subprocess.run([promtool, "check", "metrics"], input=answer.text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
