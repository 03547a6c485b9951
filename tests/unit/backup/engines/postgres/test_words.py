"""What is taken of a program's words, and of a list inside a dump."""

from collections.abc import Iterator

import pytest

from dce_play.backup.engines.postgres.custom import archive as custom_archive
from dce_play.backup.engines.postgres.custom.archive import read_json
from dce_play.backup.engines.postgres.server import _MOST_WORDS, _last_words
from dce_play.backup.errors import BackupError, ErrorId


def test_of_a_programs_words_the_last_are_shown() -> None:
    assert _last_words("x" * _MOST_WORDS) == "x" * _MOST_WORDS
    assert _last_words("notice\n" + "ERROR: " + "x" * _MOST_WORDS + "the end") == "x" * (_MOST_WORDS - 7) + "the end"


@pytest.mark.contract("P3")
def test_a_list_inside_a_dump_is_so_large_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 1 << 20
    monkeypatch.setattr(custom_archive, "_MOST_JSON_BYTES", most)

    def chunks(size: int) -> Iterator[bytes]:
        yield b" " * (most // 2)
        yield b"7".rjust(size - most // 2)

    assert read_json(chunks(most)) == 7
    with pytest.raises(BackupError, match="its list is far too long") as caught:
        read_json(chunks(most + 1))
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
