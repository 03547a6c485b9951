"""Writing to what takes a part at a time."""

import os
import signal
import threading
import time

from dce_play.system.descriptors import write_all


def test_all_is_written_though_a_signal_parts_the_write() -> None:
    """A write to a full pipe that a signal comes into returns what it wrote so far."""
    data = os.urandom(300_000)
    reading, writing = os.pipe()
    heard: list[bytes] = []

    def read() -> None:
        time.sleep(0.3)
        while part := os.read(reading, 1 << 16):
            heard.append(part)

    reader = threading.Thread(target=read)
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        reader.start()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        write_all(writing, data)
    finally:
        os.close(writing)
        reader.join()
        os.close(reading)
        signal.signal(signal.SIGALRM, before)
    assert b"".join(heard) == data
