"""People of an OpenID provider: found by its issuer, asked again later, with words for what goes wrong."""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable
from typing import Any

import jwt
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthLoginHandler
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError
from traitlets import Unicode

_DOCUMENT = "/.well-known/openid-configuration"
_ADDRESSES = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userdata_url": "userinfo_endpoint",
}
_SHUT_OUT = "You may not sign in here any more, so no notebook starts. Sign in to see why."
_NOT_NOW = "so nobody can sign in now. Notebooks that run go on."


class _Login(OAuthLoginHandler):
    """Send people to the provider, which is asked each time where that is."""

    async def get(self) -> None:
        await self.authenticator.find_provider()
        super().get()


class OidcPeople(GenericOAuthenticator):
    """The authorization code flow with PKCE; who a person is comes from the provider by TLS alone."""

    issuer = Unicode("", config=True, help="The provider's name for itself, an address. Empty: not asked.")
    login_handler = _Login

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._refused: set[str] = set()  # names of those who, when last asked, might sign in no more

    async def find_provider(self) -> None:
        """Have the provider's addresses; raises HTTPError 503 with the cause if it does not give them."""
        if not self.issuer:
            return
        found = await self._told(self.httpfetch(self.issuer.rstrip("/") + _DOCUMENT, "asking the provider"))
        named = found.get("issuer") if isinstance(found, dict) else None
        if named != self.issuer:
            raise self._failure(
                f"The provider at {self.issuer} calls itself {named or 'nothing'}, {_NOT_NOW} An admin makes "
                "issuer in jupyterhub_oidc the same, to the letter."
            )
        for name in _ADDRESSES.values():
            if not str(found.get(name)).startswith("https://"):
                raise self._failure(
                    f"The provider at {self.issuer} has no {name} that begins with https://, {_NOT_NOW}"
                )
        # What a provider does when it says nothing: RFC 8414, section 2.
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        self.basic_auth = "client_secret_post" not in ways
        for ours, theirs in _ADDRESSES.items():
            setattr(self, ours, found[theirs])

    async def authenticate(self, handler: Any, data: Any = None, **options: Any) -> dict[str, Any] | None:
        """The person; raises HTTPError with words if the provider does not tell."""
        if not self.token_url:  # the hub was replaced meanwhile
            await self.find_provider()
        model: dict[str, Any] | None = await self._told(super().authenticate(handler, data, **options))
        return model

    async def token_to_user(self, token_info: dict[str, Any]) -> Any:
        """What the provider says of the person; raises HTTPError 403 if it is about somebody else."""
        said = await super().token_to_user(token_info)
        if self.issuer and token_info.get("id_token"):
            try:
                # It comes from the provider itself, by TLS: its signature says no more
                # (OpenID Connect Core 1.0, section 3.1.3.7).
                token = jwt.decode(
                    token_info["id_token"],
                    audience=self.client_id,
                    issuer=self.issuer,
                    options={"verify_signature": False, "verify_aud": True, "verify_iss": True},
                )
            except jwt.InvalidTokenError as error:
                raise self._failure(
                    f"The provider's word about you is not meant for this hub ({error}).", 403
                ) from error
            if token.get("sub") != said.get("sub"):
                raise self._failure("The provider's two words about you are about two people.", 403)
        return said

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """The person's name here; raises HTTPError 403 if the provider does not tell it."""
        name = user_info.get(self.username_claim)
        if not name:
            raise self._failure(
                f"The provider does not tell your {self.username_claim}. An admin sets username_claim in "
                f"jupyterhub_oidc to one of {', '.join(sorted(user_info))}, or asks for more by scope.",
                403,
            )
        return str(name)

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> bool | dict[str, Any]:
        """Whether the person may still sign in, with their groups of now; False: only by signing in again."""
        try:
            if not self.token_url:
                await self.find_provider()
            model: bool | dict[str, Any] = await super().refresh_user(user, handler, **options)
        except (HTTPError, HTTPClientError, OSError) as error:
            if isinstance(error, HTTPError) and error.status_code == 403:
                self._refused.add(user.name)
                return False
            self.log.warning("Whether %s may still sign in is not known: %s", user.name, error)
            return True  # nobody is sent away because the provider is
        if isinstance(model, dict) and (self.allow_all or await self.check_allowed(user.name, model)):
            self._refused.discard(user.name)
            return model
        state = await user.get_auth_state() or {}
        if isinstance(model, dict) or state.get("refresh_token"):
            self._refused.add(user.name)
        return False

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Start nothing for whom the provider, or their groups, shut out; raises HTTPError 403.

        The hub asks before, and goes on with what it knew where a program asks for the notebook.
        """
        if user.name in self._refused:
            error = HTTPError(403, _SHUT_OUT)
            error.jupyterhub_message = _SHUT_OUT
            raise error

    async def _told(self, asked: Awaitable[Any]) -> Any:
        """What the provider answers; raises HTTPError with the cause and what to do."""
        try:
            return await asked
        except HTTPClientError as error:
            raise self._failure(*self._refusal(error)) from error
        except ssl.SSLCertVerificationError as error:
            raise self._failure(
                f"The hub does not trust the certificate of the provider ({error.verify_message}), {_NOT_NOW}"
                " An admin sets jupyterhub_ca_file to the certificate of the authority that signed it."
            ) from error
        except (OSError, ValueError) as error:
            raise self._failure(f"The provider does not answer as one ({error}), {_NOT_NOW}") from error

    def _refusal(self, error: HTTPClientError) -> tuple[str, int]:
        """Words and status for an answer that is none."""
        body = error.response.body if error.response else b""
        try:
            reason = str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            reason = ""
        if reason in ("invalid_client", "unauthorized_client") or (error.code == 401 and not reason):
            words = (
                f"The provider does not know this hub ({reason or error.code}), {_NOT_NOW} An admin looks at "
                "client_id in jupyterhub_oidc and at jupyterhub_oidc_client_secret."
            )
            return words, 503
        if reason:
            return f"Signing in did not come to its end ({reason}). Begin again.", 403
        return f"The provider does not answer as one ({error}), {_NOT_NOW}", 503

    def _failure(self, words: str, status: int = 503) -> HTTPError:
        self.log.error("Sign-in at %s: %s", self.issuer or self.token_url, words)
        return HTTPError(status, words)
