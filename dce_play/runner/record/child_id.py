"""The ids of child runs: made from the parent's id, the loop and the item, so that a second start finds the first."""

_DIGITS = 16


def child_id(parent: str, loop: str, key: str, /, *, number: int = 1) -> str:
    """Return the run id of one item; ``number`` counts how often the loop itself was run, by retries around it."""
    import hashlib  # start-up time: with OpenSSL; a list of runs only asks for parents

    text = "\n".join([loop, key, *([str(number)] if number > 1 else [])])
    return f"{parent}.{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:_DIGITS]}"


def parent_of(run_id: str, /) -> str:
    """Return the id of the run that a child run belongs to; empty for a run that is no child."""
    return run_id.rpartition(".")[0]
