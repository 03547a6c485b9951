"""The unit tests under each Python that the package says it runs under: ``inv matrix``."""

import nox

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True


@nox.session(python=["3.11", "3.12", "3.13"], venv_backend="venv")
def unit(session: nox.Session) -> None:
    """Install as CI does, and run the unit tests; what comes behind -- is handed to pytest."""
    session.install("--quiet", "-r", "requirements-ci.txt", "-e", ".")
    session.run("pytest", "-q", "-n", "2", *(session.posargs or ["tests/unit"]))
