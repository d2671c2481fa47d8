"""Orphans on a real swarm: found by a running console within two minutes, and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.conftest import PLAN, RunningConsole, remove_labelled, wait_until
from tests.integration.stack_helpers import TEST_IMAGE
