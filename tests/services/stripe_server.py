"""A program that answers as Stripe's API does, as far as the console asks: it keeps state and checks keys.

Written after https://docs.stripe.com/api: form-encoded requests, errors as `{"error": {...}}`, idempotency
keys that give the first answer again and refuse another request, and events signed as Stripe signs them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

KEY = "sk_test_standin_0123456789abcdef"
WEBHOOK_SECRET = "whsec_standin_0123456789abcdef"
_SESSION = {"object": "checkout.session", "mode": "payment", "payment_intent": None, "livemode": False}

Form = dict[str, str]


class Refusal(Exception):
    """An error that Stripe answers with."""

    def __init__(self, status: int, kind: str, message: str):
        super().__init__(message)
        self.status, self.kind = status, kind


class StripeServer:
    """Sessions, payments and refunds by id; `requests` counts what was asked, `away` makes it fail."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.away = 0  # so many requests are answered with 500
        self.lost = 0  # so many are carried out, and their answers are lost
        self.refund_status = "succeeded"
        self.pages = "https://checkout.stripe.com/c/pay/"  # where people pay, see `serve_pages`
        self.tell: Callable[[bytes, str], object] | None = None
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def serve_pages(self, tell: Callable[[bytes, str], object] | None = None) -> None:
        """Serve the pages that people pay on; `tell` gets body and signature of the message once one did."""
        self.pages, self.tell = f"{self.url}/c/pay/", tell

    def page(self, method: str, session_id: str) -> tuple[int, str, str]:
        """A page to pay on: its status, where it leads to, and its text. Who sends its form has paid."""
        session = self.sessions.get(session_id)
        if session is None or session["status"] != "open":
            return 404, "", "<h1>Nothing can be paid here</h1>"
        if method == "GET":
            words = f"Pay {session['amount_total']} {session['currency']}"
            title = "<!doctype html><title>Stripe</title><link rel='icon' href='data:,'><h1>Stripe</h1>"
            return 200, "", f"{title}<form method='post'><button>{words}</button></form>"
        message = self.event("checkout.session.completed", self.pay(session_id))
        if self.tell is not None:
            self.tell(*message)
        return 303, session["success_url"], ""

    def pay(self, session_id: str, *, amount: int | None = None) -> dict[str, Any]:
        """A person pays on the page of the session; the session then."""
        with self._lock:
            session = self.sessions[session_id]
            assert session["status"] == "open", "an expired or paid page takes no payment"
            total = session["amount_total"] if amount is None else amount
            payment = self._make("pi", "payment_intent", amount=total, currency=session["currency"])
            payment |= {"status": "succeeded", "amount_received": total, "metadata": session["metadata"]}
            self.payments[payment["id"]] = payment
            session |= {"status": "complete", "payment_status": "paid", "payment_intent": payment["id"]}
            session |= {"url": None, "amount_total": total}
            return dict(session)

    def end_refund(self, refund_id: str, status: str) -> dict[str, Any]:
        """What became of a refund that was pending."""
        with self._lock:
            self.refunds[refund_id]["status"] = status
            return dict(self.refunds[refund_id])

    def refund_there(self, payment_id: str, amount: int) -> dict[str, Any]:
        """Somebody gives money back on Stripe's own pages."""
        with self._lock:
            return self._refund({"payment_intent": payment_id, "amount": str(amount)})

    def event(self, kind: str, about: dict[str, Any], **changes: Any) -> tuple[bytes, str]:
        """The body of an event and its signature."""
        with self._lock:
            document = self._make("evt", "event", type=kind, data={"object": about})
        document |= {"api_version": "2026-10-28.endive", "pending_webhooks": 1, **changes}
        body = json.dumps(document, indent=2).encode()
        return body, sign(body)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document for one request."""
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        key = headers.get("Idempotency-Key")
        with self._lock:
            self.requests.append((method, path))
            try:
                if headers.get("Authorization") != f"Bearer {KEY}":
                    raise Refusal(401, "invalid_request_error", f"Invalid API Key provided: {KEY[:8]}****")
                if self.away:
                    self.away -= 1
                    raise Refusal(500, "api_error", "Something went wrong on our end.")
                if method == "POST" and key:
                    return self._once(key, path, form)
                return 200, self._route(method, path, form)
            except Refusal as refusal:
                return refusal.status, {"error": {"type": refusal.kind, "message": str(refusal)}}

    def _once(self, key: str, path: str, form: Form) -> tuple[int, dict[str, Any]]:
        request = f"{path} {json.dumps(form, sort_keys=True)}"
        if key in self._answers:
            first, status, document = self._answers[key]
            if first != request:
                text = "Keys for idempotent requests can only be used with the same parameters."
                raise Refusal(400, "idempotency_error", text)
            return status, document
        document = dict(self._route("POST", path, form))
        self._answers[key] = (request, 200, document)
        if self.lost:
            self.lost -= 1
            raise Refusal(500, "api_error", "The answer got lost on its way.")
        return 200, document

    def _route(self, method: str, path: str, form: Form) -> dict[str, Any]:
        found = re.fullmatch(r"/v1/(checkout/sessions|refunds)(?:/([a-z]+_\d+))?(/expire)?", path)
        if found is None:
            raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")
        kind, ident, expire = found.groups()
        if ident is None:
            return self._open_session(form) if kind.startswith("checkout") else self._refund(form)
        objects = self.sessions if kind.startswith("checkout") else self.refunds
        if ident not in objects:
            raise Refusal(404, "invalid_request_error", f"No such object: '{ident}'")
        if expire:
            if objects[ident]["status"] != "open":
                text = 'Only Checkout Sessions with a status in ["open"] can be expired.'
                raise Refusal(400, "invalid_request_error", text)
            objects[ident] |= {"status": "expired", "url": None}
        return objects[ident]

    def _open_session(self, form: Form) -> dict[str, Any]:
        number = int(form["line_items[0][price_data][unit_amount]"])
        if number <= 0:
            raise Refusal(400, "invalid_request_error", "The amount must be greater than 0.")
        made = self._make("cs", "checkout.session", **_SESSION, amount_total=number)
        made |= {"status": "open", "payment_status": "unpaid", "expires_at": int(time.time()) + 86400}
        made |= {"currency": form["line_items[0][price_data][currency]"], "success_url": form["success_url"]}
        made |= {"metadata": _metadata(form), "client_reference_id": form.get("client_reference_id")}
        made["url"] = f"{self.pages}{made['id']}"
        self.sessions[made["id"]] = made
        return made

    def _refund(self, form: Form) -> dict[str, Any]:
        payment = self.payments.get(form["payment_intent"])
        if payment is None:
            raise Refusal(404, "invalid_request_error", f"No such payment_intent: '{form['payment_intent']}'")
        back = sum(
            r["amount"]
            for r in self.refunds.values()
            if r["payment_intent"] == payment["id"] and r["status"] in ("succeeded", "pending")
        )
        amount = int(form["amount"])
        if amount > payment["amount_received"] - back:
            raise Refusal(
                400, "invalid_request_error", "Refund amount is greater than unrefunded amount on charge."
            )
        made = self._make("re", "refund", amount=amount, currency=payment["currency"])
        made |= {"payment_intent": payment["id"], "status": self.refund_status, "metadata": _metadata(form)}
        self.refunds[made["id"]] = made
        return made

    def _make(self, prefix: str, kind: str, **about: Any) -> dict[str, Any]:
        self._number += 1
        return {**about, "id": f"{prefix}_{self._number}", "object": kind, "created": int(time.time())}


def sign(body: bytes, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """The header Stripe-Signature of `body`, signed at that time (seconds since 1970)."""
    moment = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()},v0=0000"


def _metadata(form: Form) -> dict[str, str]:
    found = ((re.fullmatch(r"metadata\[(\w+)\]", name), value) for name, value in form.items())
    return {match[1]: value for match, value in found if match}


def _handler(outer: StripeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

        def _answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if path.startswith("/c/pay/"):
                status, place, words = outer.page(method, path.rpartition("/")[2])
                self._send(
                    status, words, {"Content-Type": "text/html", **({"Location": place} if place else {})}
                )
                return
            status, document = outer.answer(method, path, self.headers, body)
            about = {"Content-Type": "application/json", "Request-Id": "req_standin"}
            self._send(status, json.dumps(document), about)

        def _send(self, status: int, words: str, headers: dict[str, str]) -> None:
            text = words.encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

    return Handler
