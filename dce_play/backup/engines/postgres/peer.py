"""Programs run as the system user of a role's name, for servers that admit only that one by their socket."""

import os
import pwd
import shutil


def become_role(role: str) -> tuple[str, ...]:
    """Return the argv that makes root the system user of a role's name; empty where there is none, or we are not root.

    Source: PostgreSQL documentation, "Peer Authentication".
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return ()
    try:
        user = pwd.getpwnam(role)
    except KeyError:
        return ()
    return (setpriv, "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--init-groups", "--")
