"""Ask in-cluster URLs, all at once, whether they answer: those of a Deployment's own settings.

    $ python examples/health.py http://elasticsearch-logging.kube-system.svc:9200/_cluster/health
    200 OK            http://elasticsearch-logging.kube-system.svc:9200/_cluster/health

The URLs are those that code in the cluster calls, unchanged. Where the apiserver itself refuses,
it is said why. Exit code 1 if one of them does not answer with a status below 400.
"""

import argparse
import asyncio
import sys

import httpx

from proxyurls import AsyncClusterTransport, ProxyURLsError, load_config


async def ask(client: httpx.AsyncClient, url: str) -> tuple[bool, str]:
    """Whether it is well, and how it answers."""
    try:
        async with client.stream("GET", url) as answer:  # the status is enough
            return not answer.is_error, f"{answer.status_code} {answer.reason_phrase}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # InvalidRequest is an HTTPError too
        return False, f"no answer: {str(error) or type(error).__name__}"


async def main() -> int:
    """Ask all, and print a line for each, in their order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("urls", nargs="+", metavar="URL", help="http://NAME.NAMESPACE.svc:PORT/…")
    urls = parser.parse_args().urls
    # What is not in the cluster is none of this program's business.
    transport = AsyncClusterTransport(load_config(), others="refuse")
    async with httpx.AsyncClient(transport=transport, timeout=5, follow_redirects=True) as client:
        found = await asyncio.gather(*(ask(client, url) for url in urls))
    for url, (_, said) in zip(urls, found, strict=True):
        print(f"{said:<17} {url}")
    return 0 if all(well for well, _ in found) else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except ProxyURLsError as error:
        sys.exit(f"error: {error}")
