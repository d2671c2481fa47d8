"""Usage and what it costs: now, over time, and to the end of the month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from flask import Response, render_template, request, url_for
from flask_login import current_user, login_required

from ansible_collections.labyard.platform.plugins.module_utils._billing.csv_cells import guard, show_row
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import round_fraction
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from labyard.billing.all_costs import read_all_costs
from labyard.billing.cost_sums import (
    FILTERS,
    GROUPS,
    REPORT,
    REPORTS,
    SHOWN_UNITS,
    USAGE,
    Costs,
    Selection,
    Sums,
)
from labyard.billing.forecast import read_forecast
from labyard.billing.prices import billing_is_on, has_budgets
from labyard.billing.wording import unit_word
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import InvalidInput
from labyard.security import require_person

from .amounts import money, number, resource_word
from .blueprint import blueprint
from .plots import Plot, make_plot

NONE = "\u2013"  # stands where there is nothing
_MOST_DAYS = 400
_PLOTTED = ("cpu", "memory", "gpu", "volume")


@dataclass(frozen=True)
class Asked:
    """The form as it was sent, and what it asks for; `errors` by field where it asks for nothing that is."""

    first: str  # the first day
    last: str  # the last day
    selection: Selection | None
    errors: Mapping[str, str]


@blueprint.get("/costs")
@login_required
def costs() -> Any:
    """What was used and what it costs, with filters."""
    person, now = require_person(), utc_now()
    asked = _read_asked(request.args, now)
    found, forecast, errors = Costs(), None, dict(asked.errors)
    if asked.selection is not None:
        try:
            found = read_all_costs(session(), person, asked.selection)
            forecast = read_forecast(session(), person)
        except InvalidInput as error:
            errors.update(error.errors or {"": error.detail})
            errors[""] = error.detail
    return render_template(
        "costs.html",
        asked=asked,
        errors=errors,
        costs=found,
        groups=_sorted_groups(found),
        plots=_plots(found),
        labels=_labels(found),
        forecast=forecast,
        by=asked.selection.by if asked.selection else "deployment",
        groupings=[name for name in GROUPS if name != "account" or person.is_admin],
        filters={name: request.args.get(name, "") for name in FILTERS},
        source=asked.selection.source if asked.selection else "",
        sources=_sources(found, asked.selection),
        query=_query(request.args),
        group_link=lambda by, key: url_for("pages.costs", **{"from": asked.first, "to": asked.last, by: key}),
    ), 422 if errors else 200


@blueprint.get("/costs/usage.csv")
@login_required
def costs_csv() -> Response:
    """The table of costs as a file; raises InvalidInput for what is no day."""
    asked = _read_asked(request.args, utc_now())
    if asked.selection is None:
        raise InvalidInput("The file was not made.", dict(asked.errors))
    found = read_all_costs(session(), require_person(), asked.selection)
    answer = Response("".join(_csv_lines(found, asked.selection.by)), content_type="text/csv; charset=utf-8")
    name = f"costs-{asked.first}-{asked.last}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@blueprint.app_template_global()
def costs_pages() -> list[tuple[str, str]]:
    """The pages on costs that the person may see: endpoint and title."""
    pages = [
        ("pages.costs", "Usage"),
        ("pages.invoices", "Invoices"),
        ("pages.payments", "Payments"),
        ("pages.budgets", "Budgets"),
        ("pages.exports", "Exports"),
    ]
    if current_user.is_admin:
        pages += [
            ("pages.tariffs", "Tariffs"),
            ("pages.billing_runs", "Runs"),
            ("pages.billing_accounts", "Accounts"),
            ("pages.allocation", "Allocation"),
            ("pages.imports", "Imports"),
        ]
    return pages


@blueprint.app_template_global()
def shows_costs() -> bool:
    """Whether the navigation leads to the pages on costs: there is billing, or an admin could begin it."""
    return bool(current_user.is_admin or billing_is_on(session()) or has_budgets(session()))


@blueprint.app_template_global()
def shown_unit(resource: str) -> str:
    """The unit in which a resource is shown, in words; empty for one that is counted in its own."""
    unit = SHOWN_UNITS.get(resource)
    return unit_word(unit) if unit else ""


@blueprint.app_template_filter()
def held(amount: Fraction | None, size: int) -> str:
    """How much is held, in units of `size` base units."""
    return number(round_fraction(amount / size, 3)) if amount else NONE


@blueprint.app_template_filter()
def show_costs(sums: Sums) -> str:
    """12.50 EUR, of several currencies each; a dash where nothing has a price."""
    return show_amounts(sums.cost)


@blueprint.app_template_filter()
def show_amounts(amounts: Mapping[str, Decimal]) -> str:
    """The same of amounts by currency."""
    return " + ".join(money(amount, currency) for currency, amount in sorted(amounts.items())) or NONE


def _read_asked(args: Mapping[str, str], now: datetime) -> Asked:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = month_of(now)
    first = args.get("from", "").strip() or f"{month.start:%Y-%m-%d}"
    last = args.get("to", "").strip() or f"{max(today, month.start):%Y-%m-%d}"
    errors: dict[str, str] = {}
    days = {}
    for name, text in (("from", first), ("to", last)):
        try:
            days[name] = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
            if len(text) != 10 or days[name].year < 2000 or days[name].year > 9000:
                raise ValueError
        except ValueError:
            errors[name] = f"{text[:20]!r} is no day as 2026-01-31 is one"
    if not errors and days["to"] < days["from"]:
        errors["to"] = "is before the first day"
    elif not errors and (days["to"] - days["from"]).days >= _MOST_DAYS:
        errors["to"] = f"is more than {_MOST_DAYS} days after the first day"
    by, source = args.get("by", ""), args.get("source", "")[:80]
    filters = {name: args.get(name, "")[:80] for name in FILTERS}
    selection = None
    if not errors:
        end = days["to"] + timedelta(days=1)
        selection = Selection(
            days["from"],
            end,
            **filters,
            by=by if by in GROUPS else "deployment",
            source=source if source in (USAGE, REPORTS) or source.startswith(REPORT) else "",
        )
    return Asked(first[:20], last[:20], selection, errors)


def _query(args: Mapping[str, str]) -> dict[str, str]:
    return {name: args[name] for name in ("from", "to", "by", "source", *FILTERS) if args.get(name)}


def _sources(found: Costs, selection: Selection | None) -> list[tuple[str, str]]:
    """Where costs may come from, with its title; nothing where they come from usage alone."""
    names = set(found.reports)
    if selection and selection.source.startswith(REPORT):
        names.add(selection.source.removeprefix(REPORT))
    if not names and not (selection and selection.source):
        return []
    reports = [(f"{REPORT}{name}", f"Report of {name}") for name in sorted(names)]
    return [("", "All"), (USAGE, "Usage here"), (REPORTS, "All imported"), *reports]


def _sorted_groups(found: Costs) -> list[tuple[str, Sums]]:
    """The groups, what costs most first."""
    return sorted(
        found.groups.items(), key=lambda item: (-sum(item[1].together.values(), Decimal(0)), item[0])
    )


def _labels(found: Costs) -> list[str]:
    form = "%Y-%m-%d" if found.daily else "%Y-%m"
    return [f"{start:{form}}" for start in found.spans]


def _plots(found: Costs) -> list[Plot]:
    labels, spans = _labels(found), list(found.spans.values())
    by = "by day" if found.daily else "by month"
    plots = [
        make_plot(
            f"{title} {by} in {currency}", currency, labels, [one.get(currency, Decimal(0)) for one in sums]
        )
        for title, total, sums in (
            ("Cost", found.total.cost, [one.cost for one in spans]),
            ("Imported costs", found.total.imported, [one.imported for one in spans]),
        )
        for currency in sorted(total)
    ]
    plots += [
        make_plot(
            f"{resource_word(resource)} {by} in {shown_unit(resource)}",
            shown_unit(resource),
            labels,
            [_rounded(one.used(resource)) for one in spans],
        )
        for resource in _PLOTTED
        if resource in found.total.usage
    ]
    return plots


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def _csv_lines(found: Costs, by: str) -> Sequence[str]:
    resources, currencies = found.resources, sorted(found.total.cost)
    imported = sorted(found.total.imported)
    head = [by, "name", *(f"{name} ({SHOWN_UNITS.get(name, 'base unit')})" for name in resources)]
    head += [f"cost ({currency})" for currency in currencies]
    rows = [show_row([*head, *(f"imported ({currency})" for currency in imported)])]
    for key, sums in [*_sorted_groups(found), ("Total", found.total)]:
        name = found.names.get(key, "") if by == "deployment" else ""
        used = [f"{sums.used(resource):f}" for resource in resources]
        cost = [f"{sums.cost.get(currency, Decimal(0)):f}" for currency in currencies]
        cost += [f"{sums.imported.get(currency, Decimal(0)):f}" for currency in imported]
        rows.append(show_row([guard(key), guard(name), *used, *cost]))
    return rows
