"""What tells whether two folders have the same step plugins."""

import hashlib
from pathlib import Path


def plugins_digest(folder: Path) -> str:
    """Return the digest of the step plugins of a folder and of its ``playbooks``."""
    digest = hashlib.sha256()
    for place in ("steps", "playbooks/steps"):
        for path in sorted((folder / place).glob("*.py")):
            digest.update(f"{place}/{path.name}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
