"""How many cases a property is tried with: 300, or as many as LABYARD_TEST_CASES says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CASES = int(os.environ.get("LABYARD_TEST_CASES", "300"))

# No deadline for a case: other work of the machine is no fault of the code.
many_cases = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
