"""A file's extended attributes and ACLs as pax records, and back."""

import errno
import os
from collections.abc import Mapping

from dce_play.backup.tree import acl

_XATTR = "SCHILY.xattr."
_NONE_HERE = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA})
_WORDS = {keyword: name for name, keyword in acl.KEYWORDS.items()}


def read_attributes(place: "int | bytes") -> dict[str, bytes]:
    """Return the pax records of an open file, or of a symbolic link's own path."""
    follow = isinstance(place, int)
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _NONE_HERE:
            return {}
        raise
    records = {}
    for name in names:
        try:
            value = os.getxattr(place, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno in _NONE_HERE:
                continue
            raise
        if name in acl.KEYWORDS:
            records[acl.KEYWORDS[name]] = acl.to_text(value)
        else:
            records[_XATTR + name] = value
    return records


def write_attributes(descriptor: int, records: Mapping[str, bytes]) -> None:
    """Give an open file the attributes of its records.

    Raises: OSError, when the file system has no such attributes or we may not set them.
    """
    for keyword, value in records.items():
        if keyword in _WORDS:
            os.setxattr(descriptor, _WORDS[keyword], acl.to_bytes(value))
        elif keyword.startswith(_XATTR):
            os.setxattr(descriptor, keyword.removeprefix(_XATTR), value)
