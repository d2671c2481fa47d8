"""What the ingress asks, and what it passes on from a deployment's own address."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from flask import Response, current_app, render_template, request

from labyard.context import context, session
from labyard.errors import DomainError, Unauthorized

from .blueprint import blueprint
from .forwarded import FROM_INGRESS
from .origins import comes_from_elsewhere, read_incoming
from .passes import (
    KNOCK_COOKIE,
    KNOCK_SECONDS,
    PASS_COOKIE,
    PASS_SECONDS,
    Signer,
    hash_knock,
    is_knock,
    make_knock,
)
from .verdicts import Verdict, Verdicts
from .ways import find_deployment, find_person, find_way

log = logging.getLogger(__name__)

_COOKIE_RULES = "Path=/; Secure; HttpOnly; SameSite=Lax"


@blueprint.get("/auth")
def auth() -> Response:
    """Whether the request that the ingress describes may pass, and where to."""
    deployment = _asked_deployment()
    incoming = read_incoming(request.headers.get)
    if comes_from_elsewhere(incoming, context().settings.edge_origin(deployment)):
        return Response("Another site made this request.\n", 403, mimetype="text/plain")
    cookie = request.cookies.get(PASS_COOKIE, "")
    verdict = _verdicts().recall(deployment, cookie)
    if verdict is None:
        verdict = _judge(deployment, cookie)
        _verdicts().keep(deployment, cookie, verdict)
    if verdict.way is not None:
        headers = {
            "X-Labyard-Upstream": verdict.way.upstream,
            "X-Labyard-Authorization": verdict.way.authorization,
        }
        return Response(status=200, headers=headers)
    # nginx knows two refusals of such a request; which one it is stands in a header of ours.
    refusal = Response(f"{verdict.words}\n", 401, mimetype="text/plain")
    refusal.headers["X-Labyard-Status"] = str(verdict.status)
    if incoming.is_navigation:
        _lead_to_console(refusal, deployment, incoming.uri)
    return refusal


@blueprint.get("/redeem")
def redeem() -> Response:
    """Change a ticket for a pass: `/_labyard/enter` of a deployment's own address leads here."""
    deployment = _asked_deployment()
    signer = Signer(context().settings.key())
    ticket = signer.read_ticket(
        request.args.get("ticket", ""), deployment, request.cookies.get(KNOCK_COOKIE, "")
    )
    if ticket is None:
        page = render_template("edge_stale.html", console=context().settings.public_url)
        return _plain_page(Response(page, 403, mimetype="text/html"))
    answer = Response(status=303, headers={"Location": ticket.path, "Referrer-Policy": "no-referrer"})
    _set_cookie(answer, PASS_COOKIE, signer.sign_pass(ticket.entry), PASS_SECONDS)
    _set_cookie(answer, KNOCK_COOKIE, "", 0)
    return answer


def _asked_deployment() -> str:
    """The deployment of the address that was asked for; raises Unauthorized for all but the ingress."""
    if FROM_INGRESS not in request.environ:
        log.warning("%s was asked by %s without the ingress' secret", request.path, request.remote_addr)
        raise Unauthorized("Only the ingress asks here, with the secret that it shares with the console.")
    return request.headers.get("X-Labyard-Host", "")


def _judge(deployment_id: str, cookie: str) -> Verdict:
    entry = Signer(context().settings.key()).read_pass(cookie) if cookie else None
    if entry is None or entry.deployment != deployment_id:
        return Verdict(401, words="Sign in first.")
    person = find_person(session(), entry)
    if person is None:
        return Verdict(401, words="Your session has ended. Sign in again.")
    try:
        found = find_deployment(session(), person, deployment_id)
        return Verdict(200, find_way(found, context().sealer))
    except DomainError as error:
        return Verdict(error.status, words=error.detail)


def _lead_to_console(refusal: Response, deployment: str, uri: str) -> None:
    """Say where to send the browser, and give it what it will be known by when it comes back."""
    knock = request.cookies.get(KNOCK_COOKIE, "")
    knock = knock if is_knock(knock) else make_knock()
    query = urlencode({"deployment": deployment, "path": uri, "knock": hash_knock(knock)})
    refusal.headers["X-Labyard-Location"] = f"{context().settings.public_url}/edge/enter?{query}"
    refusal.headers["X-Labyard-Cookie"] = f"{KNOCK_COOKIE}={knock}; Max-Age={KNOCK_SECONDS}; {_COOKIE_RULES}"


def _set_cookie(answer: Response, name: str, value: str, seconds: int) -> None:
    answer.headers.add("Set-Cookie", f"{name}={value}; Max-Age={seconds}; {_COOKIE_RULES}")


def _plain_page(page: Response) -> Response:
    """A page that stands at a deployment's address and takes its looks from the console."""
    console = context().settings.public_url
    page.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {console}; base-uri 'none'; frame-ancestors 'none'"
    )
    return page


def _verdicts() -> Verdicts:
    kept: Verdicts = current_app.extensions.setdefault("labyard.edge", Verdicts())
    return kept
