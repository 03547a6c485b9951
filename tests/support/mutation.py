"""A plug-in of pytest for ``inv mutate``: programs that tests start are no part of what mutmut counts.

While mutmut learns which test reaches which function, it says so in the environment. A program of a test that read it
there would count too, for nobody, and would look for mutmut's settings in whatever folder it stands in. mutmut itself
remembers it in the process. A mutant stays in the environment: programs of tests are to have it.
"""

import os


def pytest_configure() -> None:
    if os.environ.get("MUTANT_UNDER_TEST") == "stats":
        del os.environ["MUTANT_UNDER_TEST"]
