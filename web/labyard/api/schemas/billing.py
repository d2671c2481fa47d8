"""Usage, accounts, tariffs and invoices. Amounts and quantities are text: they are exact."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Dict, Email, List, Nested, String
from apiflask.validators import Length, OneOf
from marshmallow import ValidationError

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period, read_period
from labyard.billing.exports import INVOICE_FORMATS, USAGE_FORMATS
from labyard.billing.looking import GROUPS
from labyard.models.billing_invoices import CREDIT_NOTE, INVOICE, STATES

from .fields import (
    PROJECT_NAME,
    USERNAME,
    Timestamp,
    flag_out,
    named,
    number_out,
    object_out,
    row_number,
    short,
    text_out,
    time_out,
)
from .lists import created_between, export_query, sums_query

ACCOUNT_NAME = "[A-Za-z0-9][A-Za-z0-9:._@-]{0,79}"
INVOICE_NAME = "[A-Za-z0-9][A-Za-z0-9-]{0,31}"
MOST_RECORDS = 2000  # in one request, so that its body is smaller than 1 MiB
_MONTH = "[0-9]{4}-(0[1-9]|1[0-2])"
_AMOUNT = "[0-9]{1,24}([.][0-9]{1,12})?"
_ACCOUNT = "1 to 80 letters, digits, colons, dots, dashes, underscores or @"


class Month(String):
    """A calendar month in UTC, as 2026-01."""

    def __init__(self, **options: Any):
        super().__init__(metadata={"pattern": f"^{_MONTH}$", "example": "2026-01"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            period: Period = read_period(text)
        except BillingError as error:
            raise ValidationError("must be a month, as 2026-01") from error
        return _known(period)


def _known(period: Period) -> Period:
    if not 1970 <= period.start.year <= 9990:
        raise ValidationError("must be between the years 1970 and 9990")
    return period


class UsageOut(Schema):
    """A usage record: so much of a resource, in [start, end). It never changes."""

    id = number_out()
    source = text_out("who measured")
    key = text_out("the source's own name of the record")
    account = text_out("who pays")
    resource = text_out()
    unit = text_out("a base unit: core_second, byte_second, byte, second, gpu_second, piece")
    quantity = text_out("decimal")
    start = time_out()
    end = time_out()
    deployment = text_out("its id")
    deployment_name = text_out()
    plan = text_out()
    shape = text_out()
    project = text_out()
    user = text_out()
    details = object_out()
    received_at = time_out()
    invoice = text_out("the id of the invoice that covers it; null: the next one will", null=True)


_TIME_FILTERS = {
    "from": Timestamp(metadata={"description": "usage that begins then or later"}),
    "to": Timestamp(metadata={"description": "usage that begins before then"}),
}
USAGE_FILTERS = {
    "account": named(ACCOUNT_NAME, "the name of an account"),
    "user": named(USERNAME, "a user name", metadata={"description": "others than yourself: for admins"}),
    "deployment": short(64),
    "project": short(64),
    "plan": short(64),
    "shape": short(64),
    "resource": short(32),
    "source": short(64),
    "invoice": named(INVOICE_NAME, "the number or id of an invoice"),
    **_TIME_FILTERS,
}


class UsageIn(Schema):
    """Usage records, each with the fields of a record but id, received_at and invoice.

    Without `account`, the account of the project or else the person's own pays.
    """

    records = List(Dict(), required=True, validate=Length(1, MOST_RECORDS))


class RefusedRecord(Schema):
    """A record that was not taken."""

    index = number_out("its place in what was sent, from 0; of a cost report, the number of its line, from 1")
    error = text_out()
    conflict = flag_out("its key is known, with other content")


class IntakeOut(Schema):
    """What became of records."""

    taken = number_out("are new")
    known = number_out("were there already")
    late = number_out("of those taken: for a month whose invoice is final; the next one has them")
    refused = List(Nested(RefusedRecord), required=True)


SummaryQuery = sums_query("SummaryQuery", USAGE_FILTERS, GROUPS, "deployment")


class SumOut(Schema):
    """A sum of usage."""

    group = text_out("what `by` names: a deployment's id, a day as 2026-01-31, ...")
    resource = text_out()
    unit = text_out()
    quantity = text_out("decimal")
    records = number_out()


_SITE = short(64, metadata={"description": "for APEL: the site's name"})
ExportQuery = export_query("ExportQuery", USAGE_FILTERS, USAGE_FORMATS, site=_SITE)


class AccountOut(Schema):
    """Who pays. What stands here is copied into invoices."""

    name = text_out("`user:ada`, or any other name")
    holder = text_out("the person or body on the invoice")
    address = text_out()
    tax_id = text_out()
    email = text_out()
    tariff = text_out("its name; null: `standard`", null=True)
    people = List(String(), required=True, metadata={"description": "who may see it"})
    projects = List(String(), required=True, metadata={"description": "whose usage it pays for"})
    version = number_out("counts the changes; `If-Match` takes it")
    created_at = time_out()


class AccountChange(Schema):
    """What may be changed of an account."""

    holder = short(200)
    address = short(1000)
    tax_id = short(64)
    email = Email(allow_none=True, validate=Length(max=254))
    tariff = String(allow_none=True, validate=Length(max=64))
    people = List(named(USERNAME, "a user name"), validate=Length(max=1000))
    projects = List(named(PROJECT_NAME, "the name of a project"), validate=Length(max=1000))


class AccountIn(AccountChange):
    """A new account."""

    name = named(ACCOUNT_NAME, _ACCOUNT, required=True)


ACCOUNT_FILTERS = {"search": short(80, metadata={"description": "the name begins with this"})}


class TariffOut(Schema):
    """A version of a tariff."""

    id = number_out()
    name = text_out()
    currency = text_out()
    valid_from = time_out()
    valid_to = time_out("not included; null: no end yet", null=True)
    used = flag_out("something final was rated by it: only its end may change, and not to before that")
    document = object_out("the tariff as it was written, but for its end")
    version = number_out("counts the changes; `If-Match` takes it")
    created_at = time_out()


TARIFF_FILTERS = {"name": short(64)}


class TariffIn(Schema):
    """A tariff, as in docs/how-to-bill.md."""

    tariff = Dict(required=True)


class TariffChange(Schema):
    """The end of a version."""

    valid_to = Timestamp(required=True, allow_none=True, metadata={"description": "null: no end"})


class InvoiceOut(Schema):
    """An invoice, a draft of one, or a credit note."""

    id = text_out()
    number = text_out("null: a draft", null=True)
    kind = String(required=True, validate=OneOf((INVOICE, CREDIT_NOTE)))
    state = String(required=True, validate=OneOf(STATES))
    account = text_out()
    currency = text_out()
    period_start = time_out()
    period_end = time_out("not included")
    net = text_out()
    tax = text_out()
    total = text_out("of a credit note: what is given back")
    paid = text_out()
    credited = text_out("by credit notes")
    open = text_out("what is still to be paid; below 0: what was paid too much")
    records = number_out("usage records that it covers")
    corrects = text_out("of a credit note: the id of the invoice", null=True)
    reason = text_out("of a credit note or a void invoice")
    hash = text_out("of the document and the hash before it; a draft has none")
    version = number_out("counts the changes; `If-Match` takes it")
    created_at = time_out()
    finalized_at = time_out(null=True)
    due_at = time_out(null=True)
    voided_at = time_out(null=True)


INVOICE_FILTERS = {
    "account": named(ACCOUNT_NAME, "the name of an account"),
    "state": String(validate=OneOf(STATES)),
    "kind": String(validate=OneOf((INVOICE, CREDIT_NOTE))),
    "period": Month(),
    **created_between(),
}


InvoiceExportQuery = export_query("InvoiceExportQuery", INVOICE_FILTERS, INVOICE_FORMATS)


class DraftIn(Schema):
    """Whose usage of which month."""

    account = named(ACCOUNT_NAME, "the name of an account", required=True)
    period = Month(required=True)


class ReasonIn(Schema):
    """Why."""

    reason = String(required=True, validate=Length(1, 1000))


class CreditLine(Schema):
    """How much of a line is given back, before discount and tax."""

    position = row_number(required=True)
    amount = named(_AMOUNT, "a decimal number above 0", required=True)


class CreditIn(ReasonIn):
    """What is given back; without `lines`, all that is left."""

    lines = List(Nested(CreditLine), allow_none=True, validate=Length(1, 2000))


class LineOut(Schema):
    """A line: what usage of one price in one month costs."""

    position = number_out("from 1")
    deployment = text_out()
    deployment_name = text_out()
    plan = text_out()
    shape = text_out()
    project = text_out()
    user = text_out()
    resource = text_out()
    description = text_out()
    price_name = text_out()
    tariff = text_out()
    tariff_version = time_out("the valid_from of its version")
    unit = text_out()
    quantity = text_out()
    unit_price = text_out("null: several tiers made the amount, see `steps`", null=True)
    amount = text_out()
    start = time_out("of the first usage")
    end = time_out("of the last usage")
    records = number_out("usage records in it")
    steps = List(Dict(), required=True, metadata={"description": "how the amount came about"})


class ExplanationOut(Schema):
    """A line with what it was made of: `quantity` is the sum of its records in [start, end)."""

    line = Nested(LineOut, required=True)
    price = object_out("of the tariff")
    start = time_out()
    end = time_out()
    records = number_out("see `.../records` for them")
    sum = text_out(
        "of these records' quantities, in `sum_unit`; larger where one lies only partly in the time"
    )
    sum_unit = text_out()


class DocumentOut(Schema):
    """What the customer gets: amounts, days and times as text."""

    document = object_out()
    hash = text_out()
    previous_hash = text_out()
