# SPDX-License-Identifier: GPL-3.0-or-later
"""One compose source to a resolved document in normal form, with what it includes and extends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .dotenv import parse_dotenv
from .errors import ComposeError
from .interpolate import interpolate_document
from .load import Source, parse_yaml, read_text
from .merge import Document, merge_documents, merge_services
from .normalise import normalise, read_include
from .resolve import resolve_document
from .schema import Notes
from .values import absolute_path


@dataclass(frozen=True)
class Reader:
    """Reads compose sources.

    :param folder: what relative paths start from
    :param variables: the deployer's environment; ``None``: ``$`` is an ordinary character
    :param seen: files that are being read, so that a circle is found
    """

    folder: str
    variables: Mapping[str, str] | None
    notes: Notes = field(default_factory=Notes)
    seen: tuple[str, ...] = ()

    def read(self, source: Source) -> Document:
        """The document of one source.

        :raises ComposeError: with the name of the source and the path of the key
        """
        own = Notes()
        try:
            raw = self._interpolated(source.document, own)
            document = normalise(raw, own)
            services = document["services"]
            extended = {name: self._extended(name, services, source, ()) for name in services}
            resolved = resolve_document({**document, "services": extended}, self.folder, self.variables or {})
            included = [self._include(entry, source) for entry in read_include(raw)]
        except ComposeError as error:
            raise ComposeError(error.message, error.path, error.source or source.name) from error
        self.notes.take(own, source.name)
        for other in included:
            _refuse_conflicts(other, resolved, source.name)
        return merge_documents([*included, resolved])

    def _interpolated(self, document: dict[str, Any], notes: Notes) -> dict[str, Any]:
        if self.variables is None:
            return document
        return interpolate_document(document, self.variables, notes.warn)

    def _extended(
        self, name: str, services: Mapping[str, Any], source: Source, chain: tuple[str, ...]
    ) -> dict[str, Any]:
        """A service on top of the one that it extends."""
        service = dict(services[name])
        base = service.pop("extends", None)
        if base is None:
            return service
        path = f"services.{name}.extends"
        if name in chain:
            raise ComposeError("this service extends itself; remove the circle.", path)
        file = ""
        if base.get("file"):
            file = absolute_path(base["file"], self.folder)
        if file and file not in self.seen[-1:]:
            below = self._from_file(file, base["service"], path)
        elif base["service"] in services:
            below = self._extended(base["service"], services, source, (*chain, name))
        else:
            raise ComposeError(
                f"the service {base['service']!r} is not defined; define it, or name its file.", path
            )
        return merge_services({key: value for key, value in below.items() if key != "profiles"}, service)

    def _from_file(self, file: str, service: str, path: str) -> dict[str, Any]:
        self._refuse_circle(file, path)
        folder = os.path.dirname(file)
        other = replace(self, folder=folder, notes=Notes(), seen=(*self.seen, file))
        raw = other._interpolated(parse_yaml(_read_text(file, f"{path}.file"), file), Notes())
        sections = raw.get("services")
        if not isinstance(sections, dict) or service not in sections:
            raise ComposeError(f"the file {file} has no service {service!r}.", path)
        try:
            services = normalise({"services": sections}, Notes())["services"]
            own = other._extended(service, services, Source(file, raw), ())
            resolved = resolve_document({"services": {service: own}}, folder, self.variables or {})
        except ComposeError as error:
            raise ComposeError(error.message, error.path, error.source or file) from error
        below: dict[str, Any] = resolved["services"][service]
        return below

    def _include(self, entry: Mapping[str, Any], source: Source) -> Document:
        """One entry of ``include``: its files are merged, relative paths in them start from their folder."""
        files = [absolute_path(file, self.folder) for file in entry["path"]]
        folder = absolute_path(entry.get("project_directory") or os.path.dirname(files[0]), self.folder)
        for file in files:
            self._refuse_circle(file, "include")
        variables = self.variables
        if variables is not None:
            env_files = [absolute_path(file, self.folder) for file in entry.get("env_file", [])]
            variables = with_dotenv(variables, folder, env_files)
        documents = []
        for file in files:
            other = replace(self, folder=folder, variables=variables, seen=(*self.seen, file))
            document = parse_yaml(_read_text(file, "include"), file)
            documents.append(other.read(Source(file, document, is_file=True)))
        return merge_documents(documents)

    def _refuse_circle(self, file: str, path: str) -> None:
        if file in self.seen:
            raise ComposeError(f"the file {file} leads back to itself; remove the circle.", path)


def _read_text(file: str, path: str) -> str:
    """The text of a file that the key at ``path`` names."""
    try:
        return read_text(file)
    except ComposeError as error:
        raise ComposeError(str(error), path) from error


def with_dotenv(variables: Mapping[str, str], folder: str, files: list[str] | None = None) -> dict[str, str]:
    """``variables`` and beneath them those of ``files``, or of ``.env`` in ``folder`` if it is there.

    :raises ComposeError: a file cannot be read or parsed
    """
    default = os.path.join(folder, ".env")
    chosen = files or ([default] if os.path.isfile(default) else [])
    found: dict[str, str] = {}
    for file in chosen:
        found.update(parse_dotenv(read_text(file), {**found, **variables}, file))
    return {**found, **variables}


def _refuse_conflicts(included: Document, own: Document, source: str) -> None:
    for section, entries in included.items():
        for name, entry in entries.items():
            if name in own.get(section, {}) and own[section][name] != entry:
                raise ComposeError(
                    "an included file defines this too, and differently; rename one.",
                    f"{section}.{name}",
                    source,
                )
