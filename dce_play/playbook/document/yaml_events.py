"""The YAML library as we use it: a text's events, with brackets bounded where they are read.

Only imported when a file is not in the cache: the library takes a tenth of a second.
"""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scanner import Scanner

from dce_play.playbook.document.compose import MAX_DEPTH


class Unread(Exception):
    """The reader gave up, otherwise than by saying why; ``position`` is the offset where it was."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


class TooDeep(Exception):
    """Brackets stand in more brackets than are read; ``position`` is the offset of the first that is too many."""

    def __init__(self, position: int) -> None:
        super().__init__("the document is too deep")
        self.position = position


class _BoundedScanner(Scanner):
    """Refuses brackets that are too deep as they are met: the library looks at all open ones for every token."""

    def fetch_flow_collection_start(self, token_class: Any, to_push: str) -> None:
        if self.flow_level >= MAX_DEPTH:
            raise TooDeep(self.reader.get_mark().index)
        super().fetch_flow_collection_start(token_class, to_push)


def events_of(text: str) -> Iterator[Any]:
    """Yield the events of a text.

    Raises: YAMLError; TooDeep; Unread, for whatever else the reader fails with: an assertion, an index, a depth.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _BoundedScanner
    last = 0
    try:
        for event in yaml.parse(text):
            last = event.end_mark.index
            yield event
    except (YAMLError, GeneratorExit, TooDeep):
        raise
    except Exception as error:
        raise Unread(str(error) or type(error).__name__, last) from error
