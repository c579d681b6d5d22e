"""Where lines go: a file, a terminal, a pipe, the journal. None of them raises or waits long."""

import os
import select
from collections.abc import Callable, Mapping
from typing import Any, TextIO

Journal = Callable[[Mapping[str, str]], bool]  # sends one journal entry; False: it was dropped

_PATIENCE = 0.2  # seconds the first line waits for a reader that stands still; those after it wait no more


class Sink:
    """Takes rendered lines; structlog calls the method named after the level."""

    def __init__(self) -> None:
        self.missed = 0  # lines lost since the last that got through
        self.working = True  # whether the last line got through

    def _put(self, line: Any) -> bool:
        """Write one line; False: it was lost."""
        raise NotImplementedError

    def write(self, line: Any) -> None:
        """Write one line, or count it as missed."""
        self.working = self._put(line)
        self.missed += not self.working

    debug = info = warning = error = critical = write


class JournalSink(Sink):
    """Sends entries to the journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def _put(self, line: Mapping[str, str]) -> bool:
        return self._journal(line)


class StreamSink(Sink):
    """Writes to the file under a stream: a line that failed must not stay in Python's buffer and fail again at exit."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._torn = False  # whether the last line was written in part

    def _put(self, line: str) -> bool:
        text = ("\n" if self._torn else "") + line + "\n"
        try:
            self._put_bytes(_descriptor(self._stream), text)
        except (OSError, ValueError):  # ValueError: the stream is closed
            return False
        return True

    def _put_bytes(self, descriptor: int | None, text: str) -> None:
        if descriptor is None:
            self._stream.write(text)
            return
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            if not _writable(descriptor, _PATIENCE if self.working else 0):
                raise BlockingIOError
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
            self._torn = bool(rest)


def _descriptor(stream: TextIO) -> int | None:
    """Give the file under a stream, ``None`` for one that is only Python's (``StringIO``)."""
    try:
        return stream.fileno()
    except OSError:
        return None


def _writable(descriptor: int, patience: float) -> bool:
    """Wait at most ``patience`` seconds until a write of ``PIPE_BUF`` bytes would not block."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(patience * 1000))
