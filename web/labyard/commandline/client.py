"""A console over REST, for the command line."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from labyard.errors import DomainError, InvalidInput, Unavailable

_TIMEOUT = (10, 30)  # seconds to connect, and between two bytes of an answer
_PAGE = 200  # rows
_LONGEST_PAUSE = 30  # seconds; of what the console asks for in Retry-After


class Refused(DomainError):
    """The console's refusal, in its own words; `status` is that of its answer."""

    def __init__(self, status: int, detail: str, errors: Mapping[str, str] | None = None):
        super().__init__(detail, errors)
        self.status = status


class _Patience(Retry):
    """Repeats what got no answer, and what is answered with: come again later."""

    RETRY_AFTER_STATUS_CODES = frozenset({409, 429, 503})


@dataclass(frozen=True)
class Console:
    """Where the console is and the key to it."""

    url: str
    key: str = field(repr=False)
    verify: bool | str = True  # or the file with the authorities that are trusted

    @cached_property
    def http(self) -> requests.Session:
        """One connection for all calls; each is repeated up to three times within about three seconds.

        That is safe for every method: changes carry an Idempotency-Key.
        """
        session = requests.Session()
        session.trust_env = True
        patience = _Patience(
            total=3,
            backoff_factor=0.5,
            status_forcelist=(502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
            retry_after_max=_LONGEST_PAUSE,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=patience))
        session.verify = self.verify
        return session

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        *,
        match: int | str | None = None,
    ) -> Any:
        """The answer's document; None where there is none. `match`: the version that is to be changed.

        Raises Refused with the console's own words, Unavailable if it does not answer.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method != "GET" else {}
        if match is not None:
            headers["If-Match"] = f'"{match}"'
        answer = self.request(method, path, headers, json=body, params=_clean(query))
        return read_answer(answer, self.url)

    def items(self, path: str, query: Mapping[str, Any] | None = None, most: int = 0) -> dict[str, Any]:
        """A list, page after page: at most `most` rows (0: all of them), and `next` if there are more."""
        found: list[dict[str, Any]] = []
        for page in self._pages(path, dict(query or {}), most):
            found.extend(page["items"])
            if most and len(found) >= most:
                return {"items": found[:most], "next": page["next"]}
        return {"items": found, "next": None}

    def request(
        self, method: str, path: str, headers: Mapping[str, str], **options: Any
    ) -> requests.Response:
        """One HTTP request below `/api/v1/`; raises Unavailable if nobody answers."""
        address = f"{self.url.rstrip('/')}/api/v1/{quote(path)}"
        try:
            return self.http.request(
                method,
                address,
                headers={**headers, "Authorization": f"Bearer {self.key}"},
                allow_redirects=False,  # the key goes to no other address
                **{"timeout": _TIMEOUT, **options},
            )
        except requests.exceptions.SSLError as error:
            raise Unavailable(
                f"The certificate of {self.url} is not trusted: name the authority that signed it in "
                "LABYARD_CA_PATH."
            ) from error
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(f"The console at {self.url} does not answer. Is it running?") from error

    def _pages(self, path: str, query: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
        query["limit"] = min(most, _PAGE) if most else _PAGE
        while True:
            page = self.call("GET", path, query=query)
            yield page
            if not page["next"]:
                return
            query["cursor"] = page["next"]


def read_answer(answer: requests.Response, url: str) -> Any:
    """The document of `answer`; raises Refused for an error, Unavailable for what no console says."""
    if answer.status_code == 204:
        return None
    try:
        document = answer.json()
    except ValueError as error:
        raise Unavailable(f"{url} answers, but it is no Labyard console ({answer.status_code}).") from error
    if answer.status_code >= 300:
        words = document if isinstance(document, dict) else {}
        raise Refused(answer.status_code, str(words.get("detail") or answer.reason), words.get("errors"))
    return document


def find_console(environ: Mapping[str, str] | None = None) -> Console:
    """The console of LABYARD_URL and LABYARD_API_KEY, or of the credentials file.

    Raises InvalidInput if there is neither. A key is never taken from the command line, where
    every user of the machine could read it.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("LABYARD_HOME") or ".local")
    path = Path(env.get("LABYARD_CREDENTIALS") or home / "admin.json")
    document: dict[str, str] = {}
    if path.exists():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"The credentials in {path} cannot be read: {error}.") from error
    url = env.get("LABYARD_URL") or document.get("url")
    key = env.get("LABYARD_API_KEY") or document.get("api_key")
    if not url or not key:
        raise InvalidInput(
            f"No console is known: set LABYARD_URL and LABYARD_API_KEY, or make {path} with url and api_key."
        )
    return Console(url, key, env.get("LABYARD_CA_PATH") or True)


def _clean(query: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in (query or {}).items()
        if value is not None
    }
