"""Decimal numbers that come back from every database as they were written, and their exact sum."""

from __future__ import annotations

import sqlite3
from decimal import Context, Decimal
from typing import Any

from sqlalchemy import Dialect, Engine, Numeric, String, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

PLACES = 12  # decimals
DIGITS = 38  # in all, decimals included: those of any sum of records that fits a life
_LONGEST = DIGITS + 2  # characters, with sign and point
_WIDE = Context(prec=60)  # in which no sum is rounded


class ExactDecimal(TypeDecorator[Decimal]):
    """NUMERIC; SQLite, whose numbers are of binary fractions, keeps the text."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type on this database."""
        kind: TypeEngine[Any] = String(_LONGEST) if dialect.name == "sqlite" else Numeric(DIGITS, PLACES)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """To the database: refuse what is no Decimal, for it may have been rounded already."""
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"a Decimal is needed, not {type(value).__name__}")
        return plain_text(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From the database: without zeros at the end, whatever it has added."""
        return None if value is None else Decimal(plain_text(Decimal(value)))


class exact_sum(GenericFunction[Decimal]):  # it is called like the functions of the database
    """The sum of a column of ExactDecimal, exact on every database; null of no rows."""

    type = ExactDecimal()
    inherit_cache = True


@compiles(exact_sum)
def _sum(element: Any, compiler: Any, **options: Any) -> str:
    return f"sum({compiler.process(element.clauses, **options)})"


@compiles(exact_sum, "sqlite")
def _sum_of_texts(element: Any, compiler: Any, **options: Any) -> str:
    return f"exact_sum({compiler.process(element.clauses, **options)})"


class _Sum:
    """The aggregate that SQLite lacks."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: str | None) -> None:
        """One row."""
        if value is not None:
            self.total = _WIDE.add(self.total or Decimal(0), Decimal(value))

    def finalize(self) -> str | None:
        """The sum as text."""
        return None if self.total is None else plain_text(self.total)


def plain_text(value: Decimal) -> str:
    """`value` without an exponent, and without zeros behind its last decimal."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@event.listens_for(Engine, "connect")
def _teach_sqlite(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_aggregate("exact_sum", 1, _Sum)  # type: ignore[arg-type]  # typeshed knows sums of integers
