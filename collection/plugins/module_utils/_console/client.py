# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls of the console's REST interface: the only file of this package that talks to a network."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from ansible.module_utils.urls import open_url

from .errors import Changed, Conflict, NotFound, Refused, Unreachable

#: Seconds before each further try of a call that got no answer, or one that says: not now.
PAUSES = (0.5, 1.0, 2.0, 4.0)
_LONGEST_PAUSE = 30.0  # seconds; of what the console asks for in Retry-After
_PAGE = 200  # rows
_NOT_NOW = (429, 502, 503, 504)
_KINDS: dict[int, type[Refused]] = {404: NotFound, 409: Conflict, 412: Changed}


@dataclass(frozen=True)
class Connection:
    """Where the console is, and the key to it."""

    url: str
    api_key: str = field(repr=False)
    validate_certs: bool = True
    ca_path: str | None = None  # file with the authorities that are trusted besides the system's
    timeout: float = 30  # seconds for one call


@dataclass(frozen=True)
class Answer:
    """What the console answered: the document (None where there is none) and the HTTP status."""

    status: int
    document: Any


class _NotNow(Exception):
    """The call may be repeated: it got no answer, or one that asks to come again later."""

    def __init__(self, error: Exception, pause: float | None = None):
        super().__init__(str(error))
        self.error, self.pause = error, pause


class ConsoleClient:
    """Calls with retries. Each change carries an Idempotency-Key, so that repeating it changes nothing.

    :param sleep: waits for so many seconds
    :param send: sends one request, with the signature of Ansible's ``open_url``
    """

    def __init__(
        self,
        connection: Connection,
        *,
        sleep: Callable[[float], None] = time.sleep,
        send: Callable[..., Any] = open_url,
    ):
        if not connection.url.startswith(("http://", "https://")):
            raise Unreachable(f"The url must begin with http:// or https:// and is {connection.url}")
        self._connection, self._sleep, self._send = connection, sleep, send

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The document at `path` (below ``/api/v1/``); raises ConsoleError."""
        return self.call("GET", path, query=query).document

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        part = {"limit": _PAGE, **(query or {})}
        while True:
            page = self.get(path, part)
            found.extend(page["items"])
            if not page.get("next"):
                return found
            part["cursor"] = page["next"]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        match: str | None = None,
    ) -> Answer:
        """One request, repeated while the console cannot be reached or says: not now.

        `key`: the Idempotency-Key; a random one by default. `match`: goes into `If-Match`.
        Raises Refused (NotFound, Conflict, Changed) with the console's words, Unreachable.
        """
        url = f"{self._connection.url.rstrip('/')}/api/v1/{quote(path)}"
        if query:
            url += "?" + urlencode({k: _query_text(v) for k, v in query.items() if v is not None})
        headers = {"Authorization": f"Bearer {self._connection.api_key}", "Accept": "application/json"}
        if method != "GET":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if match is not None:
            headers["If-Match"] = match
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        for pause in (*PAUSES, None):
            try:
                return self._once(method, url, data, headers)
            except _NotNow as late:
                if pause is None:
                    raise late.error from None
                self._sleep(pause if late.pause is None else min(late.pause, _LONGEST_PAUSE))
        raise AssertionError("the last try answers or raises")

    def _once(self, method: str, url: str, data: str | None, headers: dict[str, str]) -> Answer:
        at = self._connection
        try:
            with contextlib.closing(
                self._send(
                    url,
                    data=data,
                    headers=headers,
                    method=method,
                    timeout=at.timeout,
                    validate_certs=at.validate_certs,
                    ca_path=at.ca_path,
                    follow_redirects="none",  # the key goes to no other address
                    use_netrc=False,  # nor does anything come in its place
                    http_agent="labyard.platform",
                )
            ) as response:
                return Answer(response.status, self._document(response.status, response.read()))
        except HTTPError as error:
            with contextlib.closing(error):
                raise self._refusal(error) from None
        except (URLError, OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: Exception) -> Exception:
        cause = getattr(error, "reason", None) or error
        if isinstance(cause, ssl.SSLCertVerificationError) or "SSLValidation" in type(error).__name__:
            return Unreachable(
                f"The certificate of {self._connection.url} is not trusted ({cause}). Name in ca_path the "
                "authority that signed it."
            )
        text = f"The console at {self._connection.url} does not answer ({cause}). Is it running?"
        return _NotNow(Unreachable(text))

    def _refusal(self, error: HTTPError) -> Exception:
        document = self._document(error.code, error.read())
        if not isinstance(document, dict) or "detail" not in document:
            found: Exception = self._no_console(error.code)
        else:
            kind = _KINDS.get(error.code, Refused)
            found = kind(str(document["detail"]), error.code, document.get("errors"))
        after = error.headers.get("Retry-After", "")
        if error.code in _NOT_NOW or (error.code == 409 and after):
            return _NotNow(found, float(after) if after.isdigit() else None)
        return found

    def _document(self, status: int, body: bytes) -> Any:
        if not body:
            return None
        try:
            return json.loads(body)
        except ValueError:
            if status in _NOT_NOW:  # a proxy before the console speaks
                return None
            raise self._no_console(status) from None

    def _no_console(self, status: int) -> Unreachable:
        return Unreachable(
            f"{self._connection.url} answers, but not as a Labyard console does (status {status}). "
            "Check the url."
        )


def _query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
