"""What every step about backups takes and needs: where definitions and backups lie, and the desk that reads them."""

from typing import Annotated, Protocol

from dce_play.backup.definitions.model import variables_among
from dce_play.backup.desk import Desk, places_of
from dce_play.backup.service.services import LocalServices, services_around
from dce_play.playbook.document.document import load_document
from dce_play.plugin import Context, Info, View

ModulesPlace = Annotated[
    str, Info(help="Definitions: a folder with */module.yaml, or a modules file; empty: as the command line.")
]
BackupRoot = Annotated[str, Info(help="Folder of the backups; empty: as the command line.")]
ClassTable = Annotated[str, Info(help="A class table that is asked before ours; empty: as the command line.")]


class BackupPlaces(Protocol):
    """The params that every such step has."""

    @property
    def modules(self) -> str: ...

    @property
    def backup_root(self) -> str: ...

    @property
    def classes(self) -> str: ...


def desk_of(params: BackupPlaces, view: View) -> Desk:
    """Return the desk over the places that the params name."""
    places = places_of(view.folder, params.modules, params.backup_root, params.classes)
    return Desk(places, view.environment, view.clock, load_document)


def services_of(desk: Desk, ctx: Context, *references: str) -> LocalServices:
    """Return the services of a backup, around the step's own programs and secrets.

    ``references`` are to secrets that no definition names.
    """
    return services_around(
        ctx.executor,
        ctx.environment,
        ctx.clock,
        resolve=ctx.secrets.resolve,
        say=ctx.reporter.say,
        withheld=desk.secret_variables.union(variables_among(references)),
    )
