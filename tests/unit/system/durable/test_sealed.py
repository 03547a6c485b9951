"""Sealed records: what was torn or altered is never taken for what was written."""

import hashlib

import pytest

from dce_play.system.durable.sealed import SealBroken, seal, unseal


def test_what_was_sealed_comes_back() -> None:
    assert unseal(seal({"id": "42", "count": 3}, version=2), version=2) == {"id": "42", "count": 3}


def test_every_cut_is_noticed() -> None:
    data = seal({"id": "42"}, version=1)
    whole = len(data) - 1  # without the last line break it still says all there is
    for cut in range(whole):
        with pytest.raises(SealBroken) as caught:
            unseal(data[:cut], version=1)
        assert (str(caught.value), caught.value.reason) == ("its checksum does not fit", "its checksum does not fit")


def test_every_altered_byte_is_noticed() -> None:
    data = seal({"id": "42"}, version=1)
    for place in range(len(data) - 1):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(SealBroken):
            unseal(altered, version=1)


def test_another_version_is_told_as_such() -> None:
    with pytest.raises(SealBroken, match="format 2 is not known"):
        unseal(seal({}, version=2), version=1)


def test_a_record_that_tells_no_version_is_of_none_that_is_known() -> None:
    line = b'{"id": "42"}'
    with pytest.raises(SealBroken, match="format None is not known"):
        unseal(line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n", version=1)
