"""What each test's own console would work out anew, with the same result, is kept for the next one.

Hundreds of tests make an application on a database of its own. Most of the time went into what a
process does once and then has: code that builds the URLs of routes, and statements put into SQL.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

# As many statements as there are, so that none is dropped (SQLAlchemy's own limit is 500 per engine).
_STATEMENTS = 5000


@pytest.fixture(scope="session", autouse=True)
def _kept_work() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        _keep_url_builders(patch)
        _keep_statements(patch)
        yield


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


def _keep_url_builders(patch: pytest.MonkeyPatch) -> None:
    """Routes with the same parts have the same code, which knows the route only as its argument."""
    made: dict[Any, Callable[..., tuple[str, str]]] = {}
    compile_builder = Rule._compile_builder

    def kept(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:  # their values stand in the code, in the form that a converter gives them
            return compile_builder(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = compile_builder(rule, append_unknown)
        return made[key]

    patch.setattr(Rule, "_compile_builder", kept)


def _keep_statements(patch: pytest.MonkeyPatch) -> None:
    """Engines of one kind share their SQL, as the connections of one engine do."""
    caches: dict[type, LRUCache[Any, Any]] = {}
    # The dialect is a part of the cache's keys. The tests' servers of one kind are all of one version.
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))

    def share(connection: Any) -> None:
        engine: Engine = connection.engine
        kind = type(engine.dialect)
        engine._compiled_cache = caches.setdefault(kind, LRUCache(_STATEMENTS))

    event.listen(Engine, "engine_connect", share)
