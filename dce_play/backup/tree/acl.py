"""POSIX ACLs between the kernel's bytes and the text that GNU tar stores.

Source: include/uapi/linux/posix_acl_xattr.h of the kernel; ``acl(5)`` for the text. Owners are numbers.
"""

import struct

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"
KEYWORDS = {ACCESS: "SCHILY.acl.access", DEFAULT: "SCHILY.acl.default"}
"""The pax keyword of each attribute."""

_VERSION = 2
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_NO_ID = 0xFFFFFFFF
_TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}
_NAMED = frozenset({0x02, 0x08})
_PERMISSIONS = ((4, "r"), (2, "w"), (1, "x"))


def to_text(data: bytes) -> bytes:
    """Return an ACL's text, one entry a line.

    Raises: ValueError, for bytes that are no ACL.
    """
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[0] != _VERSION:
        raise ValueError("not a POSIX ACL of version 2")
    lines = []
    for tag, permissions, owner in _ENTRY.iter_unpack(data[_HEADER.size :]):
        if tag not in _TAGS:
            raise ValueError(f"unknown ACL tag {tag}")
        letters = "".join(letter if permissions & bit else "-" for bit, letter in _PERMISSIONS)
        lines.append(f"{_TAGS[tag]}:{owner if tag in _NAMED else ''}:{letters}")
    return "\n".join(lines).encode() + b"\n"


def to_bytes(text: bytes) -> bytes:
    """Return the kernel's bytes of an ACL's text.

    Raises: ValueError, for a text that is no ACL with numeric owners.
    """
    data = _HEADER.pack(_VERSION)
    for line in text.decode("ascii").replace(",", "\n").split():
        kind, owner, letters = line.split(":")[:3]
        permissions = sum(bit for bit, letter in _PERMISSIONS if letter in letters)
        tag = next(tag for tag, word in _TAGS.items() if word == kind and (tag in _NAMED) == bool(owner))
        data += _ENTRY.pack(tag, permissions, int(owner) if owner else _NO_ID)
    return data
