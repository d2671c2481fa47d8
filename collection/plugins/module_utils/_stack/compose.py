# SPDX-License-Identifier: GPL-3.0-or-later
"""From compose sources to the desired stack: read, interpolate, normalise, merge, resolve, convert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .convert import Naming, convert
from .desired import DesiredStack
from .errors import ComposeError
from .interpolate import interpolate_document
from .load import Source, project_directory, read_sources
from .merge import merge_documents
from .normalise import normalise
from .resolve import resolve_document
from .schema import Notes


def load_stack(
    sources: Sequence[str | Mapping[str, Any]],
    naming: Naming,
    *,
    variables: Mapping[str, str] | None,
    folder: str | None = None,
) -> tuple[DesiredStack, list[str]]:
    """The stack that compose sources ask for, and warnings.

    :param variables: the deployer's environment; ``None``: ``$`` is an ordinary character, and values of
        ``environment`` without content are not looked up either
    :param folder: what relative paths start from; default: the folder of the first file
    :raises ComposeError: with file, path of the key, and what to do
    """
    notes = Notes()
    documents = [_read(source, variables, notes) for source in read_sources(sources)]
    merged = merge_documents(documents)
    if not merged.get("services"):
        raise ComposeError("the document has no services; add at least one.")
    resolved = resolve_document(merged, project_directory(sources, folder), variables or {})
    return convert(resolved, naming), notes.warnings


def _read(source: Source, variables: Mapping[str, str] | None, notes: Notes) -> dict[str, dict[str, Any]]:
    own = Notes()
    try:
        document = source.document
        if variables is not None:
            document = interpolate_document(document, variables)
        result = normalise(document, own)
    except ComposeError as error:
        raise ComposeError(error.message, error.path, error.source or source.name) from error
    notes.warnings += [f"{source.name}: {warning}" for warning in own.warnings]
    return result
