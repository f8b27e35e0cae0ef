"""One GET of one JSON answer through ``http.client``, for commands that do nothing else.

Importing httpx costs more than all the work of ``cluster-info`` or of a completion, so
these two go this way. Everything else uses `client`, and so does this where there is a
proxy to speak to. Same credentials, same errors.
"""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

from proxyurls.status import connection_error, read_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from proxyurls.config import Config, Credentials

_DIAL_SECONDS = 30.0  # as client-go's dialer


def get_json(config: Config, path: str, *, timeout: float | None = None) -> dict[str, Any]:
    """GET an object of the API.

    Args:
        config: where and as whom.
        path: an absolute, encoded path with its query, below the server's own path.
        timeout: seconds to wait for each read or write; None waits forever, as kubectl does.

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
    sent = credentials.headers()
    status, body = _get(config.base_url, path, credentials, sent, timeout)
    if status == http.client.UNAUTHORIZED and credentials.renew(sent):
        status, body = _get(config.base_url, path, credentials, credentials.headers(), timeout)
    return read_answer(config.server, status, body)


def _get(
    server: str,
    path: str,
    credentials: Credentials,
    headers: list[tuple[str, str]],
    timeout: float | None,
) -> tuple[int, bytes]:
    base = urlsplit(server)
    context = credentials.ssl_context()
    host, port = base.hostname or "", base.port or (443 if context else 80)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.sock = socket.create_connection((host, port), timeout or _DIAL_SECONDS)
        if context:
            # Not HTTPSConnection: it can't check for another name than the host's.
            connection.sock = context.wrap_socket(
                connection.sock, server_hostname=credentials.server_name or host
            )
        connection.sock.settimeout(timeout)
        connection.putrequest("GET", base.path.rstrip("/") + path, skip_host=True)
        connection.putheader("Host", base.netloc)
        connection.putheader("Accept", "application/json")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise connection_error(server, error) from error
    finally:
        connection.close()
