"""What a worker does about orders: ask the gateway, and write down what it said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import GatewayOrder
from labyard.models.billing_payments import CHECKOUT, CLOSING, REVIEW

from .gateways import Gateway, GatewayAway, GatewayRefused, Order, Report
from .orders import apply_report, describe, refuse_order

log = logging.getLogger(__name__)

_BATCH = 20
_CLAIM = timedelta(minutes=3)  # longer than the gateway may take with all tries: 3 of 20 s, and pauses
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)


@dataclass(frozen=True)
class _Claimed:
    """A claimed order, apart from the database."""

    id: str
    attempt: int
    kind: str
    state: str
    gateway: str
    reference: str
    order: Order


def carry_out_orders(
    session: Session,
    begin_writing: Callable[[], None],
    gateways: Mapping[str, Gateway],
    public_url: str,
    clock: Clock = utc_now,
) -> int:
    """Ask the gateways about every order whose time has come; how many were asked about.

    `begin_writing` opens a writing transaction of `session`. None is open while a gateway is asked.
    """
    begin_writing()
    claimed = _claim_due(session, gateways, public_url, clock())
    session.commit()
    for one in claimed:
        try:
            _carry_out(session, begin_writing, gateways[one.gateway], one, clock)
        except Exception as error:
            # An order that trips over a fault of ours must not hold up the others.
            log.exception("order %s met an unexpected error", one.id)
            session.rollback()
            begin_writing()
            why = f"Labyard itself made a mistake ({type(error).__name__})."
            _postpone(session, one, why, clock())
        session.commit()
    return len(claimed)


def _carry_out(
    session: Session, begin_writing: Callable[[], None], gateway: Gateway, one: _Claimed, clock: Clock
) -> None:
    """Ask the gateway about one order, then write down what it said; the caller commits."""
    try:
        report: Report | str = _ask(gateway, one)
    except GatewayAway as error:
        begin_writing()
        _postpone(session, one, str(error), clock())
        return
    except GatewayRefused as error:
        report = str(error)
    begin_writing()
    order = session.get_one(GatewayOrder, one.id)
    if isinstance(report, Report):
        apply_report(session, order, report, clock)
    elif one.reference and one.kind == CHECKOUT:
        _postpone(session, one, report, clock())  # the page is there, so it is asked about again
    else:
        refuse_order(session, order, report, clock)


def _claim_due(
    session: Session, gateways: Mapping[str, Gateway], public_url: str, now: datetime
) -> list[_Claimed]:
    due = select(GatewayOrder).where(GatewayOrder.next_at <= now, GatewayOrder.gateway.in_(list(gateways)))
    claimed = []
    for order in session.scalars(due.order_by(GatewayOrder.next_at).limit(_BATCH)).all():
        held = (GatewayOrder.attempts == order.attempts, GatewayOrder.next_at == order.next_at)
        if not _write(session, order.id, held, {"next_at": now + _CLAIM, "attempts": order.attempts + 1}):
            continue
        session.refresh(order)
        back_to = f"{public_url}/costs/orders/{order.id}"
        claimed.append(
            _Claimed(
                id=order.id,
                attempt=order.attempts,
                kind=order.kind,
                state=order.state,
                gateway=order.gateway,
                reference=order.reference or "",
                order=describe(order, back_to),
            )
        )
    return claimed


def _ask(gateway: Gateway, one: _Claimed) -> Report:
    """What the gateway says; touches no database."""
    if one.kind == CHECKOUT:
        if not one.reference:
            # Asked again under its key, it is made once; one that is to be closed may have been made unseen.
            report = gateway.begin_checkout(one.order)
            return gateway.close_checkout(report.reference) if one.state == CLOSING else report
        if one.state == CLOSING:
            return gateway.close_checkout(one.reference)
        return gateway.look_at_checkout(one.reference)
    return gateway.look_at_refund(one.reference) if one.reference else gateway.begin_refund(one.order)


def _postpone(session: Session, one: _Claimed, why: str, now: datetime) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(one.attempt, 12), _LONGEST_PAUSE)
    held = (GatewayOrder.attempts == one.attempt, GatewayOrder.state != REVIEW)
    _write(session, one.id, held, {"next_at": now + pause, "error": why[:500]})
    log.warning("order %s is tried again in %s: %s", one.id, pause, why)


def _write(session: Session, order_id: str, held: tuple[Any, ...], values: dict[str, Any]) -> bool:
    statement = update(GatewayOrder).where(GatewayOrder.id == order_id, *held).values(**values)
    done = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount == 1
