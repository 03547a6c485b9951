"""What a descriptor that may be a pipe, a terminal or a file does not do by itself."""

import os


def write_all(descriptor: int, data: "bytes | memoryview") -> None:
    """Write all of the data, however little is taken at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
