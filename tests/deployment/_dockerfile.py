"""What a Dockerfile says, line by line."""

from __future__ import annotations

from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, continued lines joined."""

    name: str
    words: str


def instructions(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile without here-documents."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = []
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        name, _, words = line.strip().partition(" ")
        found.append(Instruction(name.upper(), words.strip()))
    return found
