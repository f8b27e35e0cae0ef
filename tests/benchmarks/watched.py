"""A gateway in a process of its own, which tells of itself when asked.

Its argument is a kubeconfig. It prints the address, and then answers each line on stdin with one
of JSON: its tasks, open files and sockets, objects and memory (``inside``); at the end of stdin
it closes the gateway and tells once more.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from pathlib import Path

from proxyurls import load_config
from proxyurls.gateway import server
from proxyurls.gateway.run import Settings, gateway


def inside() -> dict[str, float]:
    """What this process holds: memory in MiB, all else in numbers."""
    gc.collect()
    files = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            files.append(str(number.readlink()))
        except FileNotFoundError:  # that of the folder itself
            continue
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(files),
        "sockets": sum(file.startswith("socket:") for file in files),
        "objects": len(gc.get_objects()),
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20),
    }


def tell(about: object) -> None:
    """Print a line of JSON."""
    print(json.dumps(about), flush=True)


async def main(kubeconfig: str) -> None:
    """Run until stdin ends."""
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    before = inside()
    sockets = server.listen("127.0.0.1", 0)
    said: list[str] = []
    settings = Settings(port=0)
    async with gateway(load_config(kubeconfig), settings, sockets, tell=said.append) as made:
        tell(made.link())
        while await stdin.readline():
            tell({**inside(), "said": said})
    await asyncio.sleep(0.2)  # in which the loop forgets what has been closed
    tell({"before": before, "after": inside(), "said": said})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
