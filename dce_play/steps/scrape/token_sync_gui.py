"""Copy the token of DiscordChatExporter's desktop program into the env file.

Takes the desktop program's token whatever else there is, and says where it came from. The file's other lines stay,
its mode becomes 600. Automating a user account is against Discord's terms of service.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.discord.auth.discovery import Places, discover_token, gui_token, places
from dce_play.discord.auth.env_file import write_env_values
from dce_play.errors import DcePlayError
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View

NAME = "token.sync_gui"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Where the token goes."""

    env_file: Annotated[str, Info(help="Env file to write; empty: DCE_ENV_FILE, else scrape.env.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where the token came from."""

    source: Annotated[str, Info(help="The settings file that held the token.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Read the settings, and tell whether the env file would change."""
    where = places(view.environment, view.folder)
    found = gui_token(where)
    path = _env_file(params, where)
    if _holds(where, found.token):
        return StepPlan(summary=f"{path} has this token already", outputs={"source": found.source})
    change = Change(what=f"write the token from {found.source}", path=path)
    return StepPlan(summary=f"would update {path}", changes=(change,), outputs={"source": found.source})


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Write the token."""
    where = places(ctx.environment, ctx.folder)
    found = gui_token(where)
    ctx.secrets.protect(found.token)
    outputs = Outputs(source=found.source)
    path = _env_file(params, where)
    if _holds(where, found.token):
        return StepResult(changed=False, summary=f"{path} has this token already", outputs=outputs)
    write_env_values(path, {"DISCORD_TOKEN": found.token})
    return StepResult(changed=True, summary=f"updated {path} from {found.source}", outputs=outputs)


def _env_file(params: Params, where: Places) -> Path:
    return where.folder / params.env_file if params.env_file else where.env_file


def _holds(where: Places, token: str) -> bool:
    try:
        found = discover_token(where)
    except DcePlayError:
        return False
    return found.token == token and found.path == where.env_file
