"""The prompts that a program may show, and what is typed at each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to type when a prompt comes."""

    prompt: str
    """A regular expression, looked for in what the program has said since its last answer."""
    text: str
    """Without the line end, which is typed too."""
    times: int = 1
    """How often it may ask; once more means that the answer was not taken."""
