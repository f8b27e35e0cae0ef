"""Runs one command line in a process of its own and keeps all that it lets out.

Beside stdout and stderr: what is logged by anybody at level DEBUG (asyncio's debug mode
included, which writes down every callback), errors with their causes and contexts, the reprs of
the project's objects, files as they are when they are renamed, removed or left, and the arguments
and environment of the programs it starts.
"""

# os.path, since paths come as text from the audit hook, which should do no more than it must.
# ruff: noqa: PTH100, PTH113, PTH116, PTH123

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import signal
import stat
import sys
import tempfile
import time
import traceback
from asyncio.base_events import BaseEventLoop
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class Job(NamedTuple):
    """A command line to run.

    Attributes:
        argv: its words.
        environ: all of its environment.
        place: an empty folder; it runs in ``cwd`` there, and finds HOME and TMPDIR beside.
        broken: ``module:name`` of a function that is to fail, or "".
        how: the failure: "bug", an error that nobody foresaw, or "interrupt", a Ctrl-C.
        secret: what that error speaks of.
        account: a folder to be the pod's service account, or "".
        plant: the channel to let `secret` out by, for tests of the search itself.
    """

    argv: Sequence[str]
    environ: Mapping[str, str]
    place: Path
    broken: str = ""
    how: str = ""
    secret: str = ""
    account: str = ""
    plant: str = ""

    def file(self, name: str) -> Path:
        """A file about the run."""
        return self.place / name


class Recorder:
    """What one process lets out."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.errors: list[str] = []
        self.reprs: list[str] = []
        self.files: list[dict[str, Any]] = []
        self.children: list[dict[str, Any]] = []
        self.opened: set[str] = set()

    def audit(self, event: str, given: tuple[Any, ...]) -> None:
        """Python tells of everything that leaves the process (sys.addaudithook)."""
        if event == "open" and isinstance(given[0], str) and _writes(given[1], given[2]):
            self.opened.add(os.path.abspath(given[0]))
        elif event in ("os.remove", "os.rename"):
            self.keep(os.path.abspath(os.fspath(given[0])), event)
        elif event == "subprocess.Popen":
            program, words, _, environ = given
            self.children.append(
                {
                    "argv": [str(program), *map(_text, words)],
                    "environ": {_text(key): _text(value) for key, value in (environ or {}).items()},
                }
            )
        elif event in ("os.exec", "os.posix_spawn"):
            self.children.append({"argv": [repr(given)], "environ": {}})

    def keep(self, path: str, why: str) -> None:
        """Remember a file as it is."""
        if path in self.opened and os.path.isfile(path):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            with open(path, "rb") as file:
                text = file.read().decode("latin-1")
            self.files.append({"path": path, "why": why, "mode": mode, "text": text})

    def look(self, error: BaseException | None) -> None:
        """Write down an error, with all that led to it, and the objects that there are."""
        for one in chain(error):
            self.errors += [repr(one), str(one), repr(one.args)]
            self.errors += map(repr, getattr(one, "__notes__", ()))
        if error is not None:
            kept = traceback.format_exception(type(error), error, error.__traceback__)
            self.errors.append("".join(kept))
        self.reprs += reprs()

    def save(self, code: object) -> None:
        """Write it all down for the test."""
        for path in self.opened:
            self.keep(path, "left")
        content = {
            "code": code,
            "errors": self.errors,
            "reprs": self.reprs,
            "files": self.files,
            "children": self.children,
        }
        self.job.file("report.json").write_text(json.dumps(content))


def reprs() -> list[str]:
    """How the project's objects show themselves, all that there are."""
    found = []
    for one in gc.get_objects():
        if str(type(one).__module__).partition(".")[0] == "proxyurls":  # some have a descriptor
            found += [repr(one), str(one)]
    return found


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its causes and contexts, even those that a traceback would not show."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    yield from seen


def run(job: Job) -> None:
    """Run a job. Called in a process made for it."""
    gc.freeze()  # what was there before is of no interest, and looking at it all takes time
    for number, name in ((1, "out"), (2, "err")):
        opened = os.open(job.file(name), os.O_CREAT | os.O_WRONLY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    for name in ("cwd", "home", "tmp"):
        job.file(name).mkdir()
    os.environ.clear()
    os.environ.update(job.environ, HOME=str(job.file("home")), TMPDIR=str(job.file("tmp")))
    os.environ["PYTHONASYNCIODEBUG"] = "1"
    os.chdir(job.file("cwd"))
    tempfile.tempdir = None
    sys.argv = ["/usr/bin/proxyurls"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.DEBUG, filename=job.file("log"), force=True)
    # Every callback is slow, so that asyncio writes down each with its arguments.
    no_time = property(lambda _: 0.0, lambda *_: None)
    BaseEventLoop.slow_callback_duration = no_time  # type: ignore[assignment]
    recorder = Recorder(job)
    sys.addaudithook(recorder.audit)
    if job.account:
        from proxyurls.config import load

        load.load_config.__kwdefaults__["_service_account"] = job.account  # type: ignore[index]
    if job.broken:
        breaks(job)
    code: object = None
    try:
        code = _main(job, recorder)
    finally:
        recorder.save(code)


def _main(job: Job, recorder: Recorder) -> int:
    from proxyurls import cli

    dispatch = cli._dispatch

    def watched(prog: str, argv: Sequence[str]) -> int:
        try:
            plant(job)
            code = dispatch(prog, argv)
        except BaseException as error:
            recorder.look(error)
            raise
        recorder.look(None)
        return code

    cli._dispatch = watched
    try:
        return cli.main(job.argv)
    except SystemExit as done:  # argcomplete's end
        return int(done.code or 0)


def breaks(job: Job) -> None:
    """Replace a function by one that fails."""
    module, _, path = job.broken.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    assert hasattr(owner, name), job.broken

    def fail(*_: object, **__: object) -> object:
        if job.how == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # until Python sees it
            raise SystemExit("only the main thread is interrupted")
        raise RuntimeError(f"a bug: {job.secret}", [job.secret]) from KeyError(job.secret)

    setattr(owner, name, fail)


def plant(job: Job) -> None:
    """Let the secret out."""
    if job.plant:
        PLANTS[job.plant](job.secret)


def _plant_file(secret: str) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(secret)


def _plant_left_file(secret: str) -> None:
    Path("note").write_text(secret)


def _plant_program(argv: list[str], environ: dict[str, str]) -> None:
    import subprocess

    subprocess.run(["true", *argv], env={"PATH": os.environ["PATH"], **environ}, check=True)


def _plant_error(secret: str) -> None:
    from proxyurls.errors import InvalidConfig

    try:
        raise ValueError(secret)  # noqa: TRY301
    except ValueError:
        raise InvalidConfig("nothing of it") from None


def _plant_repr(secret: str) -> None:
    from proxyurls.config.model import TLS

    _KEPT.append(TLS(server_name=secret))


def _plant_callback(secret: str) -> None:
    async def wait() -> None:
        asyncio.get_running_loop().call_soon(_KEPT.append, [("Authorization", f"Bearer {secret}")])
        await asyncio.sleep(0)

    asyncio.run(wait())


def _plant_page(secret: str) -> None:
    from proxyurls.gateway import index, pages

    for module in (index, pages):
        for name in ("escape", "frame"):
            if hasattr(module, name):
                setattr(module, name, _adding(getattr(module, name), secret))


def _adding(function: Callable[..., Any], secret: str) -> Callable[..., Any]:
    def added(*given: Any, **named: Any) -> Any:
        made = function(*given, **named)
        return made + (secret.encode() if isinstance(made, bytes) else secret)

    return added


_KEPT: list[object] = []
PLANTS: dict[str, Callable[[str], object]] = {
    "stdout": print,
    "stderr": lambda secret: print(secret.encode().hex(), file=sys.stderr),
    "log": lambda secret: logging.getLogger("httpcore.http11").debug("said %r", secret),
    "callback": _plant_callback,
    "error": _plant_error,
    "repr": _plant_repr,
    "file": _plant_file,
    "left file": _plant_left_file,
    "page": _plant_page,
    "argv": lambda secret: _plant_program([f"--token={secret}"], {}),
    "environ": lambda secret: _plant_program([], {"TOKEN": secret}),
}


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else str(value)
