"""Where an export goes: a file that appears only when it is whole, or standard output."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from outsourcing_spiders.outcomes import StorageError


class OutputError(StorageError):
    """The output takes no (more) data; the message names the file and the remedy."""


class TargetExists(OutputError):
    """There is something of that name already."""


class ReaderGone(OutputError):
    """Whoever read the output has stopped reading: no failure."""


class Output:
    """A binary stream that counts, and whose errors are `OutputError`."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.size = 0
        """Bytes written so far."""

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        with explained_output(self.name):
            self.stream.write(data)
        self.size += len(data)


@contextmanager
def to_stream(stream: BinaryIO, name: str) -> Iterator[Output]:
    """Yield an output to a stream that is open and stays so."""
    output = Output(stream, name)
    yield output
    with explained_output(name):
        stream.flush()


@contextmanager
def to_file(target: Path, *, overwrite: bool) -> Iterator[Output]:
    """Yield an output that becomes `target` at the end, or is removed when anything is raised."""
    # A link stays one: what it points at is replaced.
    with explained_output(str(target)):
        target = target.expanduser().resolve()
        _check_target(target, overwrite=overwrite)
        unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
        stream = unfinished.open("xb")
    try:
        yield Output(stream, str(target))
        with explained_output(str(target)):
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        with explained_output(str(target)):
            _check_target(target, overwrite=overwrite)
            unfinished.replace(target)
    except BaseException:
        # On a full disk it fails once more with what is left in its buffer, and is closed all the same.
        with suppress(OSError):
            stream.close()
        unfinished.unlink(missing_ok=True)
        raise


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise OutputError(f"{target.parent} is not a folder that exists: make it, or choose another one.")
    if target.exists():
        if not target.is_file():
            raise OutputError(f"{target} is not a file: choose another name, or - for standard output.")
        if not overwrite:
            raise TargetExists(f"{target} exists already: add --overwrite to replace it, or choose another name.")


@contextmanager
def explained_output(name: str) -> Iterator[None]:
    """Turn an error of the system met while writing into one sentence."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone(f"Nobody reads {name} any more.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            remedy = "free some space, or choose another place"
        else:
            remedy = "choose a place where this user may write"
        raise OutputError(f"{name} cannot be written ({error.strerror or error}): {remedy}.") from error
