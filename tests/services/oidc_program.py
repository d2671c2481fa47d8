"""Canaille with a few people, run as a program of its own: `oidc_program.py FOLDER`.

The folder has `given.json` (address, port, client, people), certificates, and `state.json`, which is read at
each request and at each handshake, so that a test can change what there is while sessions go on.
"""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from flask import Flask, Response
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

FOLDER = Path(sys.argv[1])


def main() -> None:
    """Serve until the end of the process."""
    given = json.loads((FOLDER / "given.json").read_text(encoding="utf-8"))
    place = f"{given['address']}:{given['port']}"
    app = create_app(config=_config(place))
    with app.app_context(), Backend.instance.session():
        _fill(given)

    app.before_request(lambda: _follow(app, place))

    @app.after_request
    def answer_again(response: Response) -> Response:
        # Requests for any other name would be sent there.
        app.config["SERVER_NAME"] = place
        return response

    make_server(given["address"], given["port"], app, threaded=True, ssl_context=_tls()).serve_forever()


def _follow(app: Flask, place: str) -> None:
    """Have what the state says."""
    state = _state()
    app.config["SERVER_NAME"] = state["name"] or place
    known = {group.display_name: group for group in Backend.instance.query(models.Group)}
    for name, members in state["groups"].items():
        group = known.get(name) or models.Group(display_name=name)
        if sorted(member.user_name for member in group.members) != sorted(members):
            group.members = [Backend.instance.get(models.User, user_name=member) for member in members]
            Backend.instance.save(group)


def _config(place: str) -> dict[str, Any]:
    key = RSAKey.generate_key(2048, auto_kid=True)
    return {
        "SECRET_KEY": "for these tests alone",
        "SERVER_NAME": place,
        "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False, "CAPTCHA_ENABLED": False},
        "CANAILLE_OIDC": {
            "REQUIRE_NONCE": False,
            "ACTIVE_JWKS": [key.as_dict(private=True)],
            "USERINFO_MAPPING": {"PREFERRED_USERNAME": "{{ user.user_name }}"},
        },
    }


def _fill(given: dict[str, Any]) -> None:
    people = [
        models.User(
            user_name=name, password=given["password"], family_name=name, emails=[f"{name}@example.org"]
        )
        for name in given["people"]
    ]
    client = models.Client(**given["client"])
    for made in (*people, client):
        Backend.instance.save(made)
    client.audience = [client]
    Backend.instance.save(client)


def _state() -> dict[str, Any]:
    state: dict[str, Any] = json.loads((FOLDER / "state.json").read_text(encoding="utf-8"))
    return state


def _tls() -> ssl.SSLContext:
    """One context for each certificate; which is shown is decided at each handshake."""
    contexts = {}
    for name in ("good", "foreign"):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(FOLDER / name / "server.pem", FOLDER / name / "server-key.pem")

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = contexts[_state()["certificate"]]

    contexts["good"].sni_callback = choose
    return contexts["good"]


if __name__ == "__main__":
    main()
