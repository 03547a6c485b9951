"""A Vault or OpenBao server over its API: health, storage, and the two raft snapshot calls, redirects included.

Nothing but the snapshot calls carries the token, and it goes to no address outside the cluster.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.http_api import Answer, HttpApi, Streamed
from dce_play.backup.protocols import Services

SNAPSHOT = "/v1/sys/storage/raft/snapshot"
FORCE = "/v1/sys/storage/raft/snapshot-force"
POLICY = 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'
FORCE_POLICY = 'path "sys/storage/raft/snapshot-force" { capabilities = ["create", "update"] }'
_MOST_REDIRECTS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class VaultHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What ``sys/health`` says. It needs no token and answers also when the server is sealed."""

    version: str
    initialized: bool
    sealed: bool
    cluster_id: str

    @property
    def is_well(self) -> bool:
        return self.initialized and not self.sealed


class VaultPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is, as the definition and the environment say."""

    address: str
    namespace: str
    ca_file: str

    def connect(self, *, address: str = "", silence_s: float = 60.0) -> HttpApi:
        """Return a connection to the server, or to another address of its cluster."""
        headers = {"X-Vault-Namespace": self.namespace} if self.namespace else {}
        return HttpApi(address or self.address, headers=headers, ca_file=self.ca_file, silence_s=silence_s)


def place_of(module: Module, services: Services) -> VaultPlace:
    """Return where the module's server is.

    Raises: BackupError (``invalid``), when neither the definition nor ``VAULT_ADDR`` says.
    """
    keys = module.keys.vault
    address = keys.address or services.environment.get("VAULT_ADDR", "")
    if not address:
        raise BackupError(
            ErrorId.INVALID, f"{module.name}: no address of the server", hint="set vault.address, or VAULT_ADDR"
        )
    ca_file = str(module.folder / keys.ca_file) if keys.ca_file else ""
    namespace = keys.namespace or services.environment.get("VAULT_NAMESPACE", "")
    return VaultPlace(address=address, namespace=namespace, ca_file=ca_file)


def health(api: HttpApi, *, total_s: float = 30.0) -> VaultHealth:
    """Return the server's health.

    Raises: BackupError: ``unreachable``; ``engine-failed``, when what answers is no Vault.
    """
    answer = api.ask("GET", "/v1/sys/health", total_s=total_s)
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("sealed"), bool):
        raise BackupError(ErrorId.ENGINE_FAILED, f"{api.where} answers {answer.status} and no health: is it a Vault?")
    return VaultHealth(
        version=answer.text("version"),
        initialized=body.get("initialized") is not False,
        sealed=body["sealed"] is True,
        cluster_id=answer.text("cluster_id"),
    )


def storage_type(api: HttpApi) -> str:
    """Return the kind of the server's storage (``raft``, ``file``), or an empty text where it does not say."""
    return api.ask("GET", "/v1/sys/seal-status").text("storage_type")


@contextmanager
def snapshot(place: VaultPlace, token: str) -> Iterator[Streamed]:
    """Open the snapshot for reading; a server that refuses is an error.

    Raises: BackupError: ``sealed``, ``forbidden``, ``not-raft``, ``engine-failed``, ``unreachable``.
    """
    with _sent(place, "GET", SNAPSHOT, token, lambda: None) as streamed:
        if streamed.status != 200:
            raise refusal(place, streamed.answer(), policy=POLICY)
        yield streamed


def force_snapshot(place: VaultPlace, token: str, content: Callable[[], Iterable[bytes]]) -> None:
    """Replace everything in the server by a snapshot. ``content`` opens it anew for each address that is tried.

    Raises: BackupError, as ``snapshot``.
    """
    with _sent(place, "POST", FORCE, token, content) as streamed:
        if streamed.status not in {200, 204}:
            raise refusal(place, streamed.answer(), policy=FORCE_POLICY)


@contextmanager
def _sent(
    place: VaultPlace, method: str, path: str, token: str, content: Callable[[], Iterable[bytes] | None]
) -> Iterator[Streamed]:
    address = place.address
    for _ in range(_MOST_REDIRECTS + 1):
        with (
            place.connect(address=address) as api,
            api.stream(method, path, content=content(), headers={"X-Vault-Token": token}) as streamed,
        ):
            if streamed.status not in _REDIRECTS:
                yield streamed
                return
            location = streamed.location
        address = _active_node(place, location)
    raise BackupError(ErrorId.ENGINE_FAILED, f"{place.address} redirects in a circle")


def _active_node(place: VaultPlace, location: str) -> str:
    """Return the address that a redirect leads to, if it is the leader that the cluster itself names.

    Raises: BackupError (``engine-failed``), for any other: the token would leave the cluster.
    """
    to = urlsplit(location)
    origin = f"{to.scheme}://{to.netloc}"
    refused = BackupError(
        ErrorId.ENGINE_FAILED,
        f"{place.address} redirects to {origin}, which is not the cluster's active node; the token was not sent there",
        hint="name the active node in vault.address",
    )
    if not to.netloc or (urlsplit(place.address).scheme == "https" and to.scheme != "https"):
        raise refused
    with place.connect() as api:
        named = urlsplit(api.ask("GET", "/v1/sys/leader").text("leader_address"))
        own = health(api).cluster_id
    if (named.scheme, named.netloc) != (to.scheme, to.netloc) or not own:
        raise refused
    with place.connect(address=origin) as other:
        if health(other).cluster_id != own:
            raise refused
    return origin


def refusal(place: VaultPlace, answer: Answer, *, policy: str) -> BackupError:
    """Return the failure that a refusing answer means."""
    said = answer.said()
    where = place.address
    if answer.status == 503 or "sealed" in said.lower():
        return BackupError(ErrorId.SEALED, f"{where} is sealed", hint="unseal it, then try again")
    if answer.status in {401, 403}:
        return BackupError(
            ErrorId.FORBIDDEN,
            f"{where} does not let this token ({said}); it needs the policy line {policy}",
            hint=f"give the token a policy with: {policy}",
        )
    if answer.status in {400, 404, 405} and ("unsupported path" in said or "raft" in said.lower()):
        return not_raft(where)
    return BackupError(ErrorId.ENGINE_FAILED, f"{where} answers {answer.status}: {said}")


def not_raft(where: str) -> BackupError:
    """Return the failure of a server that keeps its data elsewhere than in raft."""
    return BackupError(
        ErrorId.NOT_RAFT,
        f"{where} does not store its data in raft, so it makes no snapshots",
        hint="name vault.data_folder to archive the data as they lie there",
    )
