# SPDX-License-Identifier: GPL-3.0-or-later
"""The file ``.env`` beside a compose file: values for the variables in it.

Format: https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import ComposeError
from .interpolate import substitute

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\s*(?:[=:]\s*(?P<value>.*))?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$"}


def parse_dotenv(text: str, variables: Mapping[str, str], source: str) -> dict[str, str]:
    """The variables that a ``.env`` file sets; ``variables`` win over it where they have the name too.

    Text in single quotes is taken as it is. Elsewhere variables are replaced, also by those set in earlier
    lines; in double quotes ``\\n`` and the like are too. `` #`` begins a comment outside of quotes.

    :raises ComposeError: a line sets nothing, or quotes do not end
    """
    result: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        path = f"line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise ComposeError("this is not NAME=value.", path, source)
        name, value = match["name"], match["value"]
        if value is not None:
            known = {**result, **variables}
            try:
                result[name] = _value(value, known, path)
            except ComposeError as error:
                raise ComposeError(error.message, path, source) from error
    return result


def _value(text: str, variables: Mapping[str, str], path: str) -> str:
    if text[:1] in {"'", '"'}:
        quote = text[0]
        quoted = re.fullmatch(
            r"'([^']*)'\s*(?:#.*)?" if quote == "'" else r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', text
        )
        if quoted is None:
            raise ComposeError(f"the quote {quote} does not end in this line; end it.", path)
        if quote == "'":
            return quoted[1]
        plain = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], f"\\{match[1]}"), quoted[1])
        return substitute(plain, variables, path)
    bare = re.split(r"(?:^|\s+)#", text, maxsplit=1)[0].rstrip()
    return substitute(bare, variables, path)
