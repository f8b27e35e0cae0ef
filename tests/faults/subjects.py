"""How each command and library call of ``table.txt`` is run, and what came of it."""

from __future__ import annotations

import argparse
import contextlib
import html
import http.client
import io
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.running import Running, running

from proxyurls import Cluster, load_config, service
from proxyurls.cli import completion, main
from proxyurls.errors import ProxyURLsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMESPACE = "faults"
SERVICES = 12  # beside ``web``
PAGE_SIZE = 5
BODY = 100_000
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        code: the exit code, the page's status, the error's class, or "fine".
        said: the error line without its label, the page's or the error's text.
        out: what was printed, returned or shown.
        err: all that was written to stderr.
        seconds: how long it took.
        files: what --save left behind.
    """

    code: str
    said: str
    out: str
    err: str
    seconds: float
    files: tuple[str, ...] = ()


def command(*words: str, folder: Path, limit: float, save: bool = False) -> Outcome:
    """Run a command line in this process."""
    saved = folder / "saved"
    saved.mkdir(exist_ok=True)
    options = ["--kubeconfig", str(folder / "kubeconfig"), "--request-timeout", f"{limit}s"]
    options += ["--save", str(saved / "file")] if save else []
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    began = time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words, *options])
    seconds = time.monotonic() - began
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    files = tuple(sorted(path.name for path in saved.iterdir()))
    for path in saved.iterdir():
        path.unlink()
    said = re.findall(r"^error: (.*)$", texts[1], re.MULTILINE)
    return Outcome(str(code), " / ".join(said), texts[0], texts[1], seconds, files)


def call(act: Callable[[Cluster], object], folder: Path, limit: float) -> Outcome:
    """Call the library."""
    began = time.monotonic()
    config = load_config(str(folder / "kubeconfig"))
    with Cluster(config, timeout=limit) as cluster:
        try:
            found = act(cluster)
        except ProxyURLsError as error:
            return Outcome(type(error).__name__, str(error), "", "", time.monotonic() - began)
    return Outcome("fine", "", repr(found), "", time.monotonic() - began)


def complete(folder: Path) -> Outcome:
    """Complete the name of a service."""
    err = io.StringIO()
    args = argparse.Namespace(kubeconfig=str(folder / "kubeconfig"), namespace=NAMESPACE)
    began = time.monotonic()
    with contextlib.redirect_stderr(err):
        names = completion._objects("services", args)
    seconds = time.monotonic() - began
    return Outcome("silent" if not err.getvalue() else "noise", "", " ".join(names), "", seconds)


def browse(folder: Path, *, looked_up: bool) -> Outcome:
    """What a browser gets."""
    config = load_config(str(folder / "kubeconfig"))
    target = service("web", NAMESPACE, port=None if looked_up else 80)
    with running(config, only=target) as gateway:
        gateway.enter(gateway.link)
        return visit(gateway, re.sub(r"http://(.*?)\.localhost.*", r"\1", gateway.link))


def visit(gateway: Running, label: str) -> Outcome:
    """Ask for an app's page."""
    began = time.monotonic()
    try:
        got = gateway.request(f"/-/big/{BODY}", label=label, headers=PAGE)
    except (http.client.HTTPException, OSError) as error:
        return Outcome("broken off", type(error).__name__, "", "", time.monotonic() - began)
    seconds = time.monotonic() - began
    told = "; ".join(gateway.said)
    ours = re.search(r"<h1>The apiserver [^<]*</h1>(.*)", got.text, re.DOTALL)
    if ours is None:
        return Outcome(str(got.status), "", got.text, told, seconds)
    text = html.unescape(re.sub(r"<[^>]*>", " ", ours[1].partition("Try again:")[0]))
    return Outcome(str(got.status), " ".join(text.split()), "", told, seconds)


WEB = f"web.{NAMESPACE}:80"
APP = f"/-/big/{BODY}"
LIST = f"/api/v1/namespaces/{NAMESPACE}/services"
COMMANDS: dict[str, tuple[str, ...]] = {
    "cluster-info": ("cluster-info", "-n", NAMESPACE),
    "services": ("services", "-n", NAMESPACE),
    "services -A": ("services", "-A", "-l", "faults=yes", "-o", "name"),
    "url --resolve": ("url", "--resolve", f"web.{NAMESPACE}"),
    "fetch": ("fetch", WEB, APP),
    "fetch --save": ("fetch", WEB, APP),
    "fetch -d": ("fetch", WEB, APP, "-d"),
    "fetch --raw": ("fetch", "--raw", LIST),
}
CALLS: dict[str, Callable[[Cluster], object]] = {
    "Cluster.services": lambda cluster: len(list(cluster.services(NAMESPACE))),
    "Cluster.resolve": lambda cluster: str(cluster.resolve("web", NAMESPACE).target.segment),
    "APIClient.get_json": lambda cluster: cluster.client.get_json(LIST)["kind"],
}
BROWSERS = ("gateway", "gateway look-up")
COMPLETION = "completion"
SUBJECTS = (*COMMANDS, *CALLS, *BROWSERS, COMPLETION)


def run(subject: str, folder: Path, limit: float) -> Outcome:
    """Run one of them.

    Args:
        subject: which.
        folder: where the kubeconfig is, and whatever it makes.
        limit: seconds that a request may take.
    """
    if subject in COMMANDS:
        words = COMMANDS[subject]
        if words[-1] == "-d":
            words = (*words, f"@{folder / 'upload'}")
        return command(*words, folder=folder, limit=limit, save=subject == "fetch --save")
    if subject in CALLS:
        return call(CALLS[subject], folder, limit)
    if subject in BROWSERS:
        return browse(folder, looked_up=subject == "gateway look-up")
    return complete(folder)
