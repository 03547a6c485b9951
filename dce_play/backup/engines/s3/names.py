"""What an object is called in the tar: its key, where that is a safe path, and else a name made from its hash."""

import hashlib

ROOT = "objects/"
INDEX = "index.jsonl"
_UNSAFE_FOLDER = ".keys"
"""Where the members lie whose keys are no safe paths; keys below it are not safe either."""
_VERSIONS_FOLDER = ".versions"
_LONGEST_PART_BYTES = 255
_LONGEST_PATH_BYTES = 1000


def is_safe(key: str) -> bool:
    """Return whether a key can be a file below any folder: relative, printable, without dots that lead elsewhere."""
    parts = key.split("/")
    return (
        key.isprintable()
        and len(key.encode()) <= _LONGEST_PATH_BYTES
        and parts[0] not in {_UNSAFE_FOLDER, _VERSIONS_FOLDER}
        and all(part not in {"", ".", ".."} and len(part.encode()) <= _LONGEST_PART_BYTES for part in parts)
    )


def parents(key: str) -> list[str]:
    """Return the folders that a safe key lies in, the nearest last."""
    parts = key.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def made_up(key: str) -> str:
    """Return the member of an object whose key cannot be one."""
    return f"{_UNSAFE_FOLDER}/{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()}"


def of_version(key: str, version_id: str) -> str:
    """Return the member of a version that is not the current one."""
    digest = hashlib.sha256(f"{key}\0{version_id}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"{_VERSIONS_FOLDER}/{digest}"


def is_of_a_version(member: str) -> bool:
    """Return whether a member is a version that was not the current one."""
    return member.startswith(f"{_VERSIONS_FOLDER}/")
