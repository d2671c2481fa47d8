"""The database: typed tables and the states they can be in. Imports nothing else of Labyard."""

from .accounts import ApiKey, AuditEntry, Membership, Project, User
from .base import db, utc_column
from .billing_accounts import AccountPerson, AccountProject, BillingAccount
from .billing_budgets import Budget, BudgetAlert, BudgetRequest
from .billing_invoices import Invoice, InvoiceLine, InvoiceSeries
from .billing_meter import Meter, MeterRun, NodeCapacity
from .billing_payments import GatewayEvent, GatewayOrder, Payment, Wallet, WalletEntry
from .billing_spending import SpendingMark, SpendingSum
from .billing_tariffs import TariffVersion
from .billing_usage import ImportedCost, ImportedDay, UnbilledUsage, UsageRow
from .catalog import Plan
from .commands import Command, Event, Run, Task
from .deployments import Deployment
from .idempotency import GivenAnswer
from .installation import Installation, installation_id
from .nodes import Node
from .notices import Notice, Webhook
from .orphans import Orphan
from .states import Health, State
from .workers import Worker

__all__ = [
    "AccountPerson",
    "AccountProject",
    "ApiKey",
    "AuditEntry",
    "BillingAccount",
    "Budget",
    "BudgetAlert",
    "BudgetRequest",
    "Command",
    "Deployment",
    "Event",
    "GatewayEvent",
    "GatewayOrder",
    "GivenAnswer",
    "Health",
    "ImportedCost",
    "ImportedDay",
    "Installation",
    "Invoice",
    "InvoiceLine",
    "InvoiceSeries",
    "Membership",
    "Meter",
    "MeterRun",
    "Node",
    "NodeCapacity",
    "Notice",
    "Orphan",
    "Payment",
    "Plan",
    "Project",
    "Run",
    "SpendingMark",
    "SpendingSum",
    "State",
    "TariffVersion",
    "Task",
    "UnbilledUsage",
    "UsageRow",
    "User",
    "Wallet",
    "WalletEntry",
    "Webhook",
    "Worker",
    "db",
    "installation_id",
    "utc_column",
]
