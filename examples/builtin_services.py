"""The services that come with the cluster, as a Markdown table: where each is, and does it answer?

    $ python examples/builtin_services.py > builtin-services.md

They are those of `kubectl cluster-info`. Its URLs name a port by its name, or leave it out; these
have its number, which works in every case. GET / is all that they are asked.
"""

import argparse
import sys

import httpx

from proxyurls import Cluster, ProxyURLsError, load_config

BUILTIN = "kubernetes.io/cluster-service=true"


def answer_to(client: httpx.Client, url: str, headers: list[tuple[str, str]]) -> str:
    """What GET gives, in some words."""
    try:
        answer = client.get(url, headers=headers)
    except httpx.HTTPError as error:
        return f"no answer: {error}"
    status = f"{answer.status_code} {answer.reason_phrase}"
    try:
        found = answer.json()
    except ValueError:  # HTML, mostly
        return status
    # The apiserver's own refusals are Status objects; anything else is the app's.
    if isinstance(found, dict) and found.get("kind") == "Status":
        return f"{status}: {found.get('message')}"
    return status


def main() -> None:
    """List them, ask each, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-n", "--namespace", default="kube-system", help="default: kube-system")
    namespace = parser.parse_args().namespace
    config = load_config()
    credentials = config.credentials()
    verify = credentials.ssl_context() or True
    with Cluster(config, timeout=30) as cluster:
        services = list(cluster.services(namespace, label_selector=BUILTIN))
    print("| service | URL | GET / |\n| --- | --- | --- |")
    # A short time limit: some of them speak no HTTP, and may say nothing at all.
    with httpx.Client(verify=verify, proxy=config.proxy_url, timeout=5) as client:
        for service in services:
            url = service.url
            answer = answer_to(client, url, credentials.headers()) if url else service.why
            print(f"| {service.display_name} | {url or 'none'} | {answer} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except ProxyURLsError as error:
        sys.exit(f"error: {error}")
