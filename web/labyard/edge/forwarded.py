"""Who is asking, and by which address, when the ingress stands between."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

_PROOF = "HTTP_X_LABYARD_EDGE"  # the header with the secret, as WSGI has it
FROM_INGRESS = "labyard.from_ingress"  # in the environment of a request: the ingress sent it

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BelieveIngress:
    """Takes X-Forwarded-For, -Proto and -Host from the ingress, and from nobody else.

    The ingress proves itself by the secret that it shares with the console. Without one, nothing of
    these headers is believed, whoever sends them.
    """

    def __init__(self, app: _Wsgi, secret: str) -> None:
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._secret = secret.encode()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """One request."""
        shown = environ.pop(_PROOF, "").encode("latin-1", "replace")
        if self._secret and hmac.compare_digest(shown, self._secret):
            environ[FROM_INGRESS] = True
            return self._forwarded(environ, start_response)
        return self._direct(environ, start_response)
