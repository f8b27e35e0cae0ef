"""``fetch --save``: a file that appears under its name only when it is whole."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

from proxyurls.cli.parser import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedWriter


class Download:
    """A file being written. Its `whole` moves it to its name; else it goes away again."""

    def __init__(self, path: Path, part: Path, file: BufferedWriter) -> None:
        self.path = path
        self._file = file
        self._part = part

    def write(self, chunk: bytes) -> None:
        """Some more has come.

        Raises:
            OSError: it can't be written; with the name that was typed.
        """
        with self._named():
            self._file.write(chunk)

    def whole(self) -> None:
        """All of it has come.

        Raises:
            OSError: as for `write`.
        """
        with self._named():
            self._file.close()
        if self._part == self.path:
            return
        if self.path.exists():
            self._part.chmod(self.path.stat().st_mode & 0o7777)
        self._part.replace(self.path)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._file.raw.close()  # else what is in its buffer would be tried again, and fail
            raise OSError(error.errno, error.strerror, str(self.path)) from error


@contextmanager
def download(name: str) -> Iterator[Download]:
    """Open a temporary file beside the one of that name, before anything is requested.

    A device or a pipe can't be replaced, so it is written to directly.

    Args:
        name: what --save says.

    Raises:
        UsageError: no file can be made there.
    """
    if not name or name.endswith("/") or Path(name).is_dir():
        raise UsageError(f"--save {name!r} is no file's name; type one")
    path = Path(name).resolve()  # a link stays, and its file is replaced
    direct = path.exists() and not path.is_file()
    part = path if direct else path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        file: BufferedWriter = part.open("wb" if direct else "xb")
    except OSError as error:
        raise UsageError(f"--save {name!r}: can't write there ({error.strerror})") from error
    with file, _ending_as_an_exception():
        try:
            yield Download(path, part, file)
        finally:
            if not direct:
                part.unlink(missing_ok=True)


@contextmanager
def _ending_as_an_exception() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, so that what must be removed is."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    # Not where somebody decided otherwise, as nohup does.
    ours = [number for number in known if main and signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
