"""The operator's own programs before and after a backup: no shell, and every exit code counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.manifest import HookRecord
from dce_play.backup.protocols import Services
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command
from dce_play.system.process.undo_guard import UndoGuard

_TIMEOUT_S = 3600.0
_FOR_EVER_S = 30 * 86_400.0


class Hooks:
    """A module's hooks, and what became of them."""

    def __init__(self, module: Module, services: Services, file: Path) -> None:
        self._keys = module.keys.hooks
        self._services = services
        self._folder = module.folder
        self._env = {"DCE_BACKUP_MODULE": module.name, "DCE_BACKUP_FILE": str(file)}
        self._before: int | None = None
        self._after: int | None = None

    @contextmanager
    def promised(self) -> Iterator[None]:
        """Have a guard process run the last hook if we are killed before the block has run it.

        Raises: BackupError (``hook-failed``), when there is no guard; nothing was run then.
        """
        if not self._keys.after:
            yield
            return
        with UndoGuard(self._services.streams, self._services.executor, max_s=_FOR_EVER_S) as guard:
            try:
                guard.promise(self._keys.after, env=self._env, cwd=self._folder, timeout_s=_TIMEOUT_S)
            except DcePlayError as error:
                raise BackupError(ErrorId.HOOK_FAILED, f"no hook was run: {error}") from error
            try:
                yield
            finally:
                guard.forget()

    def before(self) -> None:
        """Run the first hook.

        Raises: BackupError (``hook-failed``).
        """
        if self._keys.before:
            self._before = self._run("before", self._keys.before)

    def after(self) -> None:
        """Run the last hook, whatever came before it.

        Raises: BackupError (``hook-failed``).
        """
        if self._keys.after:
            self._after = self._run("after", self._keys.after)

    def record(self) -> HookRecord | None:
        """Return what stands in the manifest."""
        if not self._keys.before and not self._keys.after:
            return None
        return HookRecord(before=self._before, after=self._after)

    def _run(self, which: str, argv: tuple[str, ...]) -> int:
        command = Command(argv=argv, env=self._env, cwd=self._folder, timeout_s=_TIMEOUT_S, tidies_up=which == "after")
        try:
            finished = self._services.executor.run(command)
        except DcePlayError as error:
            raise BackupError(ErrorId.HOOK_FAILED, f"the {which} hook: {error}", hint=error.hint) from error
        if finished.exit_code != 0:
            said = (finished.stderr or finished.stdout).strip().splitlines()
            last = f": {said[-1]}" if said else ""
            raise BackupError(
                ErrorId.HOOK_FAILED, f"the {which} hook {argv[0]} ended with exit code {finished.exit_code}{last}"
            )
        return finished.exit_code
