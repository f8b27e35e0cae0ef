"""A chat bot's link maker: people type words, it answers with a link or with what is wrong.

It asks no cluster and needs no credentials: a link is made from a table and the words alone.
Whoever talks to the bot chooses the page, never the target: what would climb out of it is
refused, so nobody gets a link to the Secrets of your cluster with the bot's name on it.

    $ echo 'grafana d/home orgId=1' | python examples/link_bot.py
    https://k8s.example/api/v1/namespaces/monitoring/services/grafana:3000/proxy/d/home?orgId=1
    $ echo 'grafana ../../../secrets' | python examples/link_bot.py
    No link: invalid suffix '../../../secrets': its '..' can climb above the target's /proxy/; …
"""

import sys

from proxyurls import InvalidInput, alterations, service

SERVER = "https://k8s.example"
APPS = {
    "grafana": service("grafana", "monitoring", port=3000),
    "dashboard": service("dashboard", "kube-system", port=443, scheme="https"),
}


def answer(message: str) -> str:
    """The link for ``APP [PAGE] [KEY=VALUE …]``, or why there is none."""
    app, *words = message.split() or [""]
    target = APPS.get(app)
    if target is None:
        return f"I know {', '.join(sorted(APPS))}. Which one?"
    page = words.pop(0) if words and "=" not in words[0] else ""
    query = [(key, value) for key, _, value in (word.partition("=") for word in words)]
    try:
        link = str(target.url(SERVER, page, query=query))
        changes = alterations(page)
    except InvalidInput as error:  # its message is one line, for people
        return f"No link: {error}"
    return "\n".join([link, *(f"Mind that {change.reason}." for change in changes)])


if __name__ == "__main__":
    for line in sys.stdin:
        print(answer(line))
