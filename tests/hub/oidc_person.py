"""A person who signs in at a hub by way of an OpenID provider, as a browser without scripts."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from .person import ANSWER, HubPerson


class OidcPerson(HubPerson):
    """A browser that is signed in nowhere yet; the provider's forms are those of Canaille."""

    def sign_in(self, name: str, password: str) -> requests.Response:
        """Fill in all forms; the page at which that ends. Where that is right, the person has a token."""
        self.name = name
        page = self.open_provider()
        for typed in ({"login": name}, {"password": password}, {"answer": "accept"}):
            if page.url.startswith(self.url):
                break
            page = self._submit(page, typed)
        if page.ok and page.url.startswith(self.url):
            made = self.call("POST", f"users/{name}/tokens", json={"note": "a program", "expires_in": 3600})
            assert made.status_code == 201, made.text
            self.token = made.json()["token"]
        return page

    def open_provider(self) -> requests.Response:
        """Press the button of the hub's page for signing in."""
        page = self.browser.get(f"{self.url}/hub/login?next=/hub/home", timeout=ANSWER)
        (button,) = (link for link in _Page.of(page).links if "oauth_login" in link)
        return self.browser.get(urljoin(page.url, button), timeout=ANSWER)

    def _submit(self, page: requests.Response, typed: dict[str, str]) -> requests.Response:
        """Send the page's form with what it holds and what is typed into it."""
        found = _Page.of(page)
        return self.browser.post(
            urljoin(page.url, found.action) if found.action else page.url,
            data={**found.fields, **typed},
            headers={"Referer": page.url},
            timeout=ANSWER,
        )


class _Page(HTMLParser):
    """Links, and the last form, of a page."""

    @classmethod
    def of(cls, page: requests.Response) -> _Page:
        """What there is on it."""
        made = cls()
        made.feed(page.text)
        return made

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a form sends by itself."""
        found = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif tag == "form":
            self.action, self.fields = found.get("action", ""), {}
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found.get("value", "")
