"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify

from labyard.context import context, session
from labyard.readiness import check_parts
from labyard.statistics import prometheus_text

blueprint = APIBlueprint("probes", __name__, tag="Probes")


@blueprint.get("/healthz")
@blueprint.doc(summary="The web process answers")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.doc(summary="All parts answer: database, queue, worker, swarm")
def readyz() -> Any:
    parts = check_parts(session(), context().settings)
    ready = all(text == "ok" for text in parts.values())
    response = jsonify({"status": "ready" if ready else "not ready", "parts": parts})
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
@blueprint.output({}, content_type="text/plain")
@blueprint.doc(summary="Figures for Prometheus")
def metrics() -> Response:
    text = prometheus_text(session(), command_limit=context().settings.command_limit)
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
