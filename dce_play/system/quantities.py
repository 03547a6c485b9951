"""Durations and sizes as people write them: ``90s``, ``1h30m``, ``64MiB``, ``2GB``."""

import re

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "K": 1 << 10,
    "M": 1 << 20,
    "G": 1 << 30,
    "T": 1 << 40,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?B|kB|[BKMGT]?)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|[smhdw]))+$|^[0-9]+(\.[0-9]+)?$"
SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?B|kB|[BKMGT]?)$"


def parse_duration(text: str) -> float:
    """Return seconds; a bare number is seconds.

    Raises: ValueError.
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is not a duration such as 90s, 10m, 12h or 2d')
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)


def parse_size(text: str) -> int:
    """Return bytes; a bare number is bytes.

    Raises: ValueError.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a size such as 512, 64MiB or 2GB')
    return int(float(found[1]) * _SIZE_UNITS[found[2]]) if "." in found[1] else int(found[1]) * _SIZE_UNITS[found[2]]


def show_duration(seconds: float) -> str:
    """Return the duration as a person says it: ``1h30m``, ``4m12s``, ``2.5s``."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole % 86_400 // 3_600, "h"), (whole % 3_600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count)
