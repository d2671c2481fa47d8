"""Billing: usage taken in, tariffs, invoices. What each of them is, the collection's `_billing` knows."""
