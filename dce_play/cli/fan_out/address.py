"""The address of a Dask scheduler on the command line, and whether Dask is there at all."""

import importlib.util
import re
from typing import Any

import click

from dce_play.errors import UsageError

_ADDRESS = re.compile(r"^(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):[0-9]{1,5}$")


class ClusterAddress(click.ParamType[str]):
    """``tcp://HOST:PORT`` or ``tls://HOST:PORT``."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address as it was typed."""
        if not _ADDRESS.match(str(value)):
            self.fail(f"{value} is no address of a scheduler: tcp://HOST:PORT or tls://HOST:PORT", param, ctx)
        return str(value)


class NoDask(UsageError):
    """The extra with Dask is not installed."""

    def __init__(self) -> None:
        super().__init__("Dask is not installed here", hint="pip install 'dce-play[dask]'")


def need_dask() -> None:
    """Look whether Dask's ``distributed`` can be imported.

    Raises: NoDask.
    """
    if importlib.util.find_spec("distributed") is None:
        raise NoDask
