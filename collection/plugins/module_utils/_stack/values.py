# SPDX-License-Identifier: GPL-3.0-or-later
"""The small languages inside compose values: durations, sizes, ports, mounts, capabilities."""

from __future__ import annotations

import os
import re
from typing import Any

from .errors import ComposeError
from .words import split_words

_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGtTpP]?)(?:i?[bB])?")
_SIZE_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def duration(value: Any, path: str) -> int:
    """Nanoseconds of a Go duration such as ``1m30s``; a bare ``0`` is allowed.

    :raises ComposeError:
    """
    text = str(value).strip()
    if text == "0":
        return 0
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ComposeError(f"{value!r} is not a duration; write it like 30s, 1m30s or 500ms.", path)
    return sum(round(float(number) * _DURATION_UNITS[unit]) for number, unit in parts)


def size(value: Any, path: str) -> int:
    """Bytes of a size such as ``512m`` or ``1.5g``; units are powers of 1024.

    :raises ComposeError:
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(str(value).strip())
    if not match:
        raise ComposeError(f"{value!r} is not a size; write it like 512m, 1g or a number of bytes.", path)
    return int(float(match[1]) * 1024 ** _SIZE_POWERS[match[2].lower()])


def nano_cpus(value: Any, path: str) -> int:
    """Billionths of a CPU of a number such as ``"0.5"``.

    :raises ComposeError:
    """
    text = str(value).strip()
    if not re.fullmatch(r"\d+(\.\d{1,9})?|\.\d{1,9}", text) or isinstance(value, bool):
        raise ComposeError(f"{value!r} is not a number of CPUs; write it like '0.5' or '2'.", path)
    whole, _, fraction = text.partition(".")
    return int(whole or 0) * 10**9 + int(fraction.ljust(9, "0") or 0)


def integer(value: Any, path: str) -> int:
    """A whole number, given as one or as text.

    :raises ComposeError:
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d+\s*", value):
        return int(value)
    raise ComposeError(f"{value!r} is not a whole number.", path)


def number(value: Any, path: str) -> float:
    """A number, given as one or as text.

    :raises ComposeError:
    """
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise ComposeError(f"{value!r} is not a number.", path) from None


def boolean(value: Any, path: str) -> bool:
    """True or false, given as such or as text.

    :raises ComposeError:
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "yes", "on", "y"}:
        return True
    if isinstance(value, str) and value.lower() in {"false", "no", "off", "n"}:
        return False
    raise ComposeError(f"{value!r} is neither true nor false.", path)


def string(value: Any, path: str) -> str:
    """A text; numbers and booleans are written as docker writes them.

    :raises ComposeError:
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    raise ComposeError(f"a text is wanted here, not {kind_of(value)}.", path)


def strings(value: Any, path: str) -> list[str]:
    """A list of texts.

    :raises ComposeError:
    """
    if not isinstance(value, list):
        raise ComposeError(f"a list is wanted here, not {kind_of(value)}.", path)
    return [string(item, f"{path}[{index}]") for index, item in enumerate(value)]


def string_or_strings(value: Any, path: str) -> list[str]:
    """A list of texts, or one text that stands for a list of one."""
    return [value] if isinstance(value, str) else strings(value, path)


def command(value: Any, path: str) -> list[str] | None:
    """A command line as a list; a text is split into words.

    :raises ComposeError:
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return strings(value, path)
    try:
        return split_words(value)
    except ValueError as error:
        raise ComposeError(f"{value!r} cannot be split into words ({error}); use a list.", path) from error


def mapping(value: Any, path: str) -> dict[str, Any]:
    """A mapping with text keys; nothing at all stands for an empty one.

    :raises ComposeError:
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ComposeError(f"a mapping is wanted here, not {kind_of(value)}.", path)
    return {string(key, path): item for key, item in value.items()}


def map_or_list(value: Any, path: str, *, nulls: bool = False, separator: str = "=") -> dict[str, str | None]:
    """``{KEY: value}`` or ``[KEY=value]`` as a mapping of texts.

    :param nulls: keep a key without a value as ``None`` (else it becomes the empty text)
    :raises ComposeError:
    """
    nothing = None if nulls else ""
    if isinstance(value, list):
        result: dict[str, str | None] = {}
        for item in strings(value, path):
            key, equals, rest = item.partition(separator)
            result[key] = rest if equals else nothing
        return result
    return {
        key: nothing if item is None else string(item, f"{path}.{key}")
        for key, item in mapping(value, path).items()
    }


def capabilities(names: list[str]) -> list[str]:
    """Names of Linux capabilities as the engine writes them: upper case, ``CAP_`` before."""
    upper = {name.strip().upper() for name in names}
    return sorted(name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in upper)


_PORT_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def _port_range(text: str, value: str, path: str) -> list[int]:
    match = _PORT_RANGE.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not (match and 1 <= first <= last <= 65535):
        raise ComposeError(
            f"{value!r} is not a port; ports are 1 to 65535, a range is written 8000-8010.", path
        )
    return list(range(first, last + 1))


def short_ports(value: Any, path: str, ignore: Any) -> list[dict[str, Any]]:
    """``[[ip:]published:]target[/protocol]`` with ranges, as long ports in ingress mode.

    :param ignore: called with a sentence and a path where a host address is dropped
    :raises ComposeError:
    """
    text = string(value, path)
    address, protocol = text, "tcp"
    if "/" in text:
        address, _, protocol = text.rpartition("/")
    host, _, target_text = address.rpartition(":")
    published_text = ""
    if host:
        bracket = host.rfind("]")
        colon = host.rfind(":")
        ip = host[:colon] if colon > bracket else ""
        published_text = host[colon + 1 :] if colon > bracket else host
        if ip:
            ignore(f"the address {ip}; a swarm publishes on all addresses.", path)
    if protocol.lower() not in {"tcp", "udp", "sctp"}:
        raise ComposeError(f"{protocol!r} is not a protocol; it is tcp, udp or sctp.", path)
    targets = _port_range(target_text, text, path)
    published = _port_range(published_text, text, path) if published_text else [0] * len(targets)
    if len(targets) == 1 and len(published) > 1:
        targets *= len(published)
    if len(targets) != len(published):
        raise ComposeError(f"{text!r} has ranges of different length; make them the same.", path)
    return [
        {"mode": "ingress", "target": inner, "published": outer, "protocol": protocol.lower()}
        for inner, outer in zip(targets, published, strict=True)
    ]


def short_mount(value: str, path: str) -> dict[str, Any]:
    """``[source:]target[:options]`` as a long mount; the source of a bind stays as written.

    :raises ComposeError:
    """
    parts = value.split(":")
    if not value or len(parts) > 3 or not all(parts):
        raise ComposeError(
            f"{value!r} is not a mount; write it as name:/path, /host/path:/path or /path.", path
        )
    if len(parts) == 1:
        return {"type": "volume", "target": parts[0]}
    mount: dict[str, Any] = {"source": parts[0], "target": parts[1]}
    mount["type"] = "bind" if parts[0][0] in "/.~" else "volume"
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option in {"ro", "rw"}:
            mount["read_only"] = option == "ro"
        elif option in {"rprivate", "private", "rshared", "shared", "rslave", "slave"}:
            mount["bind"] = {"propagation": option}
        elif option == "nocopy":
            mount["volume"] = {"nocopy": True}
        elif option not in {"z", "Z", "cached", "delegated", "consistent", "default"}:
            raise ComposeError(
                f"{option!r} is not an option of a mount; known are ro, rw, nocopy, rshared ...", path
            )
    return mount


def absolute_path(path: str, folder: str) -> str:
    """``path`` with ``~`` expanded, made absolute from ``folder``; an absolute one stays as it is written."""
    expanded = os.path.expanduser(path)
    return expanded if os.path.isabs(expanded) else os.path.normpath(os.path.join(folder, expanded))


def kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {
        dict: "a mapping",
        list: "a list",
        bool: "true or false",
        str: "a text",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), f"a {type(value).__name__}")
