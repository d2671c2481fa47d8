"""Bootstrap Icons, drawn into the page one by one: the whole sprite would be a megabyte."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import flask_bootstrap
from markupsafe import Markup

from .blueprint import blueprint

_SPRITE = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5" / "icons" / "bootstrap-icons.svg"
_SYMBOL = re.compile(r'<symbol class="[^"]*" viewBox="([^"]*)" id="([^"]*)">(.*?)</symbol>', re.DOTALL)
_ANY = "box"  # drawn for a name that is no icon: names come from roles


@blueprint.app_template_global()
def icon(name: str, classes: str = "") -> Markup:
    """The icon of that name as an SVG element as high as the text; it says nothing to a screen reader."""
    symbols = _symbols()
    box, body = symbols.get(name) or symbols[_ANY]
    return Markup(
        '<svg class="icon {}" viewBox="{}" width="16" height="16" fill="currentColor"'
        ' aria-hidden="true" focusable="false">{}</svg>'
    ).format(classes, box, Markup(body))  # noqa: S704  (the sprite's own text)


@lru_cache(maxsize=1)
def _symbols() -> dict[str, tuple[str, str]]:
    text = _SPRITE.read_text(encoding="utf-8")
    return {name: (box, body) for box, name, body in _SYMBOL.findall(text)}
