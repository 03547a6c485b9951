"""Which commits are the newest: asked of Forgejo, or read from a local clone with git.

Neither call ever raises for what the other side does: a source that does not answer is a reason in words.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command, LocalExecutor
from dce_play.system.redact import Masker
from dce_play.system.secret_reference import NoSecret, read_reference
from dce_play.transfer.ids import is_commit
from dce_play.transfer.receiving.config import INSTALL_ROOTS, GateConfig

GIT_TIMEOUT_S = 5.0
_PAGE = 50
_LARGEST_PAGE_BYTES = 8 << 20
GIT, GIT_FALLBACK, FORGEJO = "git", "git-fallback", "forgejo"


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    """The commits that are accepted, newest first, and who told them."""

    hashes: tuple[str, ...]
    source: str


class SourceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking: commits or not, and of each source that was asked, why it has none (or nothing)."""

    commits: Commits | None
    reasons: Mapping[str, str]


def local_repo(config: GateConfig, environment: Mapping[str, str]) -> Path | None:
    """Return the clone to read: the configured one, else the first usual place with a ``.git``."""
    if config.no_repo:
        return None
    if config.repo_path is not None:
        return config.repo_path
    own = environment.get("DCE_PLAY_INSTALL_ROOT")
    places = [Path(place) for place in ((own,) if own else ()) + INSTALL_ROOTS]
    return next((place for place in places if (place / ".git").exists()), None)


def ask_sources(config: GateConfig, environment: Mapping[str, str]) -> SourceAnswer:
    """Ask Forgejo where it is configured, then git where that told nothing."""
    reasons = {}
    if config.forgejo_url:
        hashes, reason = _ask_forgejo(config, environment)
        reasons[FORGEJO] = reason
        if hashes:
            return SourceAnswer(commits=Commits(hashes=hashes, source=FORGEJO), reasons=reasons)
    repo = local_repo(config, environment)
    if repo is not None:
        hashes, reason = read_git(repo, config.window, environment)
        reasons[GIT] = reason
        if hashes:
            source = GIT_FALLBACK if config.forgejo_url else GIT
            return SourceAnswer(commits=Commits(hashes=hashes, source=source), reasons=reasons)
    return SourceAnswer(commits=None, reasons=reasons or {GIT: "there is no clone at any of the usual places"})


def read_git(repo: Path, window: int, environment: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Return the newest commits of a clone, and why there are none.

    The clone is the maintainer's and the service another user's, so git is told that it is safe. Nothing of our
    environment that steers git reaches it.
    """
    clean = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    argv = ("git", "-c", f"safe.directory={repo}", "-C", str(repo), "log", "--no-show-signature", "--format=%H")
    try:
        command = Command(argv=(*argv, "-n", str(window)), timeout_s=GIT_TIMEOUT_S)
        finished = LocalExecutor(clean, Masker()).run(command)
    except DcePlayError as error:
        return (), str(error)
    if finished.exit_code != 0:
        lines = finished.stderr.strip().splitlines()
        return (), f"git in {repo}: {lines[-1] if lines else f'exit {finished.exit_code}'}"
    hashes = tuple(line for line in finished.stdout.split() if is_commit(line))
    return hashes, "" if hashes else f"git in {repo}: no commits"


def _ask_forgejo(config: GateConfig, environment: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    import httpx2  # takes 150 ms, and many receivers have no Forgejo

    headers = {}
    try:
        if config.forgejo_token:
            token = read_reference(config.forgejo_token, environment=environment, folder=Path.cwd())
            headers["Authorization"] = f"token {token}"
        url = f"{config.forgejo_url.rstrip('/')}/api/v1/repos/{config.forgejo_repo}/commits"
        with httpx2.Client(trust_env=False, timeout=config.timeout_s, headers=headers) as client:
            return _pages(client, url, config), ""
    except (httpx2.HTTPError, httpx2.InvalidURL, NoSecret, _StrangeAnswer) as error:
        return (), f"{config.forgejo_url}: {str(error) or type(error).__name__}"


class _StrangeAnswer(Exception):
    """Forgejo told something that is no list of commits."""


def _pages(client: "httpx2.Client", url: str, config: GateConfig) -> tuple[str, ...]:  # type: ignore[name-defined]  # noqa: F821 - imported where it is used
    deadline = time.monotonic() + config.timeout_s
    found: dict[str, None] = {}
    page = 1
    while len(found) < config.window:
        params: dict[str, str | int] = {
            "sha": config.forgejo_branch,
            "limit": min(_PAGE, config.window),
            "page": page,
            "stat": "false",
        }
        with client.stream("GET", url, params=params) as response:
            if response.status_code != 200:
                raise _StrangeAnswer(f"answered {response.status_code}")
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LARGEST_PAGE_BYTES or time.monotonic() > deadline:
                    raise _StrangeAnswer("took too long to answer")
        before = len(found)
        found |= dict.fromkeys(_hashes(bytes(body)))
        if len(found) == before:
            break
        page += 1
    if not found:
        raise _StrangeAnswer("knows no commits")
    return tuple(found)[: config.window]


def _hashes(body: bytes) -> list[str]:
    try:
        listed = json.loads(body)
        hashes = [each["sha"] for each in listed]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _StrangeAnswer("answered with no list of commits") from error
    if not all(is_commit(each) for each in hashes):
        raise _StrangeAnswer("answered with commits that are none")
    return hashes
