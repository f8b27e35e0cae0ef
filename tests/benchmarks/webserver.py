"""nginx with a few files, where the apiserver can reach it."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contract.warden import end_with_parent

from .processes import Failed, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from contract.cluster import Address

DOWNLOAD = 64 << 20
_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/html html; text/plain txt; application/octet-stream bin; }}
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  server {{ listen {host}:{port}; root {folder}/files; }}
}}
"""


def page(paragraphs: int = 160) -> bytes:
    """A page such as a manual's: a rooted link every 200 bytes, a script, a style sheet."""
    head = (
        "<!doctype html><html><head><title>Manual</title>"
        '<link rel="stylesheet" href="/assets/manual.css">'
        '<script src="/assets/manual.js"></script></head><body>\n'
    )
    text = "A paragraph with a link in it, as manuals have them, of some two hundred bytes. "
    body = (
        f'<p id="s{at}">{text}<a class="reference" href="/manual/chapter-{at % 12}.html#s{at}">'
        f"section {at}</a>, and some words behind it.</p>\n"
        for at in range(paragraphs)
    )
    script = (
        "<script>var toc = [" + ",".join(f'"/manual/{at}"' for at in range(200)) + "];</script>"
    )
    return f"{head}{''.join(body)}{script}</body></html>\n".encode()


@contextmanager
def nginx(folder: Path, prefix: Sequence[str], address: Address) -> Iterator[None]:
    """Serve ``small.txt`` (1 KiB), ``page.html``, ``page.txt`` (its bytes) and ``big.bin``.

    Args:
        folder: a new one, for its configuration and files.
        prefix: the command that leads into the apiserver's network.
        address: where it listens in there.
    """
    nginx_itself = program("nginx")
    files = folder / "files"
    files.mkdir(parents=True)
    (files / "small.txt").write_bytes(b"small\n" * 170 + b"end\n")
    for name in ("page.html", "page.txt"):
        (files / name).write_bytes(page())
    with (files / "big.bin").open("wb") as big:
        big.truncate(DOWNLOAD)
    config = folder / "nginx.conf"
    head = "user root;" if os.geteuid() == 0 else ""  # or its worker could not read the files
    config.write_text(head + _CONFIG.format(folder=folder, host=address[0], port=address[1]))
    errors = folder / "errors"
    with errors.open("wb") as output:
        process = subprocess.Popen(
            [*prefix, nginx_itself, "-p", str(folder), "-c", str(config)],
            stdout=output,
            stderr=output,
            preexec_fn=end_with_parent,  # noqa: PLW1509  (no thread runs)
        )
    try:
        time.sleep(0.2)
        if process.poll() is not None:
            raise Failed(f"nginx ended: {errors.read_text(errors='replace')}")
        yield
    finally:
        process.kill()
        process.wait()
