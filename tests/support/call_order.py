"""The order in which a real process changes files below a folder, as strace saw it.

A crash loses what was not synced; a killed process does not. So an fsync that is left out, or that comes on the wrong
side of a rename, shows in the order of the calls and nowhere else.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_CHANGES = "trace=fsync,fdatasync,syncfs,sync,/^rename,/^link,/^unlink,ftruncate,rmdir"
_PIECE = re.compile(
    r"^(?P<thread>\d+) +(?:<\.\.\. (?P<rest>\w+) resumed>|(?P<call>\w+)\()(?P<words>.*?)(?P<cut> <unfinished \.\.\.>)?$"
)
_DONE = re.compile(r"\) += (?:\?|-?\d+)")
_PATH = re.compile(r'(?:(?P<at>\w+)<(?P<folder>[^>]*)>, )?(?:"(?P<name>[^"]*)"|\d+<(?P<open>/[^>]*)>)')
_RANDOM = re.compile(r"\b[0-9a-f]{32}\b|(?<=\.)[0-9a-f]{8}(?=\.tmp\b)")


def tracer(fault: str = "") -> tuple[str, ...]:
    """Return how strace is called so that it stops only the calls that it is asked about, which costs far less.

    With ``--seccomp-bpf`` it sends no signals, without a word: where the fault is one, it stops all calls.
    """
    return ("strace", "-f", *(() if "signal=" in fault else ("--seccomp-bpf",)))


def strace(log: Path, *more: str) -> tuple[str, ...]:
    """Return the words before a command that have its calls written to ``log``; ``more`` names more calls."""
    return (*tracer(), "-y", "-qq", "-s", "200", "-o", str(log), "-e", ",".join((_CHANGES, *more)))


def changes(log: Path, root: Path, *, sends: str = "") -> list[str]:
    """Return the calls on files below ``root`` in the order in which they ended: ``fsync a``, ``rename a to b``.

    Paths are relative to it, what is random in them is ``*``, a call that failed is left out. What is sent over a
    socket and begins with ``sends`` is in the list too, its first two words.
    """
    found = []
    for call, words in _calls(log):
        if sends and call.startswith("send"):
            text = words.partition('"')[2]
            if text.startswith(sends):
                found.append(" ".join(text.split()[:2]))
            continue
        if call == "sync":
            found.append("sync all")
            continue
        if " = -1 " in words:
            continue
        found_paths = _paths(words.partition(">")[0] + ">)") if "write" in call else _paths(words)
        paths = [each for each in found_paths if each.is_relative_to(root)]
        if paths:
            named = " to ".join(str(each.relative_to(root)) for each in paths)
            found.append(f"{call.removesuffix('at').removesuffix('at2')} {_RANDOM.sub('*', named)}")
    return found


def _calls(log: Path) -> Iterator[tuple[str, str]]:
    """Yield each call's name and words where it ended; what another thread's call cut in two is put together."""
    begun: dict[str, tuple[str, str]] = {}
    for line in log.read_text(errors="replace").splitlines():
        piece = _PIECE.match(line)
        if piece is None:
            continue
        call, words = piece["call"], piece["words"]
        if piece["rest"]:
            call, before = begun.pop(piece["thread"], (piece["rest"], ""))
            words = before + words
        if piece["cut"]:
            begun[piece["thread"]] = (call, words)
        elif _DONE.search(words):
            yield call, words


def _paths(words: str) -> Iterator[Path]:
    for found in _PATH.finditer(words.rpartition(")")[0]):
        yield Path(found["open"] or Path(found["folder"] or "/") / found["name"])
