"""A token and an exporter for one target, and how to get another token when Discord refuses this one."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dce_play.discord.auth.discovery import FoundToken, discover_token, places
from dce_play.discord.auth.reauth import refresh_token
from dce_play.discord.exporters import choose
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.protocol import Exporter
from dce_play.discord.targets.model import Target
from dce_play.system.clock import Clock
from dce_play.system.process.containers import NoteContainer, note_nowhere
from dce_play.system.process.executor import Executor


def _at_a_terminal() -> bool:
    return os.isatty(0) and os.isatty(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContext:
    """What a session is opened in."""

    environment: Mapping[str, str]
    folder: Path
    archive_root: Path
    executor: Executor
    clock: Clock
    protect: Callable[[str], None]
    """Told every token, so that it is masked from then on."""
    note: Callable[[str], None]
    note_container: NoteContainer = note_nowhere
    """Entered around each container that may write the archive."""
    limits: ClientLimits = field(default_factory=ClientLimits)
    """For our own exporter."""
    interactive: bool = field(default_factory=_at_a_terminal)
    """Whether somebody is there to answer ``DCE_REAUTH_COMMAND``."""


class Session:
    """Open as long as its ``with`` block runs.

    Opening raises NoToken, BadTokenFile, InvalidEnvFile, and whatever building the exporter raises.
    """

    def __init__(self, target: Target, exporter_name: str, context: SessionContext) -> None:
        """``exporter_name`` is one of the exporters' names, or empty: the target's own choice, else ``auto``."""
        self._target = target
        self._name = choose.chosen_exporter(exporter_name or target.exporter or choose.AUTO, context.environment)
        self._context = context
        self._places = places(context.environment, context.folder)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._token = discover_token(self._places)
        for warning in self._token.warnings:
            self._context.note(f"WARN: {warning}")
        self.exporter = self._open(self._token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def refresh(self) -> Exporter | None:
        """Return an exporter with another token than the one that was refused, or ``None``."""
        context = self._context
        found = refresh_token(self._token.token, self._places, context.executor, interactive=context.interactive)
        if found is None:
            return None
        context.note(f"New token from {found.source}")
        self._token = found
        return self._open(found)

    def _open(self, found: FoundToken) -> Exporter:
        context = self._context
        context.protect(found.token)
        given = choose.ExporterContext(
            environ=context.environment,
            token=found.token,
            clock=context.clock,
            executor=context.executor,
            archive_root=context.archive_root,
            container_memory=self._target.container_memory,
            announce=context.note_container,
            note=context.note,
            limits=context.limits,
        )
        return self._stack.enter_context(choose.open_exporter(self._name, given))
