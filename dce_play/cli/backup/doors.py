"""What a verb reaches the machine through: programs, secrets, containers. A verb that only looks imports none of it."""

import os

from dce_play.backup.service.services import SECRET_VARIABLES, LocalServices
from dce_play.cli.backup.office import Office
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.process.streaming import Streams


def services_of(office: Office) -> LocalServices:
    """Return the doors of one verb. No program inherits a variable that holds a secret of ours or of a definition."""
    hidden = SECRET_VARIABLES | office.hidden | office.desk.secret_variables
    child = {name: value for name, value in os.environ.items() if name not in hidden}
    return LocalServices(
        executor=LocalExecutor(child, office.secrets),
        streams=Streams(child, office.secrets),
        environment=os.environ,
        clock=office.clock,
        resolve=office.secrets.resolve,
        say=office.say,
    )
