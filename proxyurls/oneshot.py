"""One GET of one JSON answer through ``http.client``, for commands that do nothing else.

Importing httpx costs more than all the work of ``cluster-info`` or of a completion, so
these two go this way. Everything else uses `client`, and so does this where there is a
proxy to speak to. Same credentials, same errors.
"""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

from proxyurls.status import CONNECT_SECONDS, Patience, connection_error, read_answer
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from proxyurls.config import Config


def get_json(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    """GET an object of the API.

    Args:
        config: where and as whom.
        path: an absolute, encoded path with its query, below the server's own path.
        timeout: seconds to wait for the connection and for each read; None waits for ever.

    Raises:
        ConnectionFailed: no answer came.
        APIStatusError: the answer's status was not 2xx, or it was no JSON object.
        CredentialError: there is no usable credential.
    """
    if config.proxy_url:
        from proxyurls.client import APIClient

        with APIClient(config, timeout=timeout) as client:
            return client.get_json(path)
    credentials = config.credentials()
    patience = Patience()
    while True:
        sent = credentials.headers()
        status, body, retry_after = _get(config, path, credentials.ssl_context(), sent, timeout)
        if status == http.client.UNAUTHORIZED and credentials.renew(sent):
            sent = credentials.headers()
            status, body, retry_after = _get(config, path, credentials.ssl_context(), sent, timeout)
        if not patience.wait(status, retry_after):
            return read_answer(config.server, status, body)


def _get(
    config: Config,
    path: str,
    context: ssl.SSLContext | None,
    headers: list[tuple[str, str]],
    timeout: float | None,
) -> tuple[int, bytes, str]:
    """Status, body and Retry-After."""
    whole = join(config.base_url, path)
    url = urlsplit(whole)
    # As bytes: as text, it would load the tables of internationalised host names.
    host = (url.hostname or "").encode("ascii")
    port = url.port or (443 if context else 80)
    connection = http.client.HTTPConnection(url.hostname or "", port, timeout=timeout)
    connected = False
    try:
        connection.sock = socket.create_connection(
            (host, port),  # type: ignore[arg-type]  # bytes are as good
            timeout or CONNECT_SECONDS,
        )
        if context:
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connected = True
        connection.sock.settimeout(timeout)
        target = "/" + whole.partition("://")[2].partition("/")[2]  # as it was written
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", url.netloc)
        connection.putheader("Accept", "application/json")
        for name, value in headers:
            connection.putheader(name, value.encode())  # as Go: UTF-8
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Retry-After", "")
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a bad chunk
        raise connection_error(config.server, error, connected=connected) from error
    finally:
        connection.close()
