"""A side thread does everything that was put, in its order, whether its thread had to come back or not."""

import threading
import time

import pytest

from dce_play.system import side_thread
from dce_play.system.side_thread import SideThread


def test_all_is_done_in_order_also_after_a_pause() -> None:
    done: list[bytes] = []
    side = SideThread(done.append)
    for round_ in range(3):
        for number in range(50):
            side.put(b"%d %d" % (round_, number))
        side.drain()
        assert done[-1] == b"%d 49" % round_
        for thread in threading.enumerate():
            if thread.name == "beside" and round_ == 1:
                thread.join(10 * side_thread.LINGER_S)  # its thread goes, and comes back
                assert not thread.is_alive()
    assert done == [b"%d %d" % (round_, number) for round_ in range(3) for number in range(50)]


def test_what_the_work_raised_comes_out_and_nobody_waits_for_ever() -> None:
    def fail(piece: bytes) -> None:
        raise MemoryError(piece.decode())

    side = SideThread(fail)

    def put_many() -> None:
        for number in range(1000):
            side.put(b"%d" % number)

    for call in (put_many, side.drain):
        with pytest.raises(MemoryError, match=r"^0$"):
            call()


def test_whoever_puts_waits_while_so_many_pieces_lie_there() -> None:
    lay: list[int] = []

    def work(piece: bytes) -> None:
        while not lay and putter.is_alive() and not side._changed._waiters:  # type: ignore[attr-defined]
            time.sleep(0.001)  # until whoever puts has to wait, or has put all of it
        lay.append(len(side._waiting))

    side = SideThread(work)

    def put_all() -> None:
        for number in range(50):
            side.put(b"%d" % number)

    putter = threading.Thread(target=put_all)
    putter.start()
    putter.join(30)
    side.drain()
    assert len(lay) == 50
    assert max(lay) == side_thread._MOST_WAITING
