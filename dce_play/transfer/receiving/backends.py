"""Which storage and which list of tokens a configuration asks for."""

from collections.abc import Callable, Mapping

from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.file_store import FileStore
from dce_play.transfer.receiving.folders import StoreFolders
from dce_play.transfer.receiving.storage import Storage
from dce_play.transfer.receiving.tokens import FileTokens, Tokens
from dce_play.transfer.wire import IndexRow


def open_storage(
    config: ReceiveConfig, _environment: Mapping[str, str], *, on_row: Callable[[IndexRow], None] | None = None
) -> Storage:
    """Return the storage; ``on_row`` hears of every listed episode, those of before included."""
    return FileStore(config, on_row=on_row)


def open_tokens(config: ReceiveConfig, _environment: Mapping[str, str]) -> Tokens:
    """Return the list of tokens."""
    return FileTokens(StoreFolders(config.store_dir).tokens)
