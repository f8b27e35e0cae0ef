"""The way to the apiserver: name lookup, TCP, and the proxy in between where there is one."""

from __future__ import annotations

import errno
import http.client
import socket
import threading
from shlex import join as join_words
from urllib.parse import unquote, urlsplit

from proxyurls.causes import CAUSES
from proxyurls.config.server import mask_password, split_host
from proxyurls.config.tls import make_context
from proxyurls.doctor.case import Found
from proxyurls.doctor.wire import ask
from proxyurls.errors import shown
from proxyurls.status import phrase
from proxyurls.urls import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from proxyurls.config import Config
    from proxyurls.config.model import TLS
    from proxyurls.doctor.wire import Said

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)


class Way:
    """How this machine gets to the server of a configuration. Nothing is done before `open`.

    Args:
        config: where to.
        seconds: how long a lookup, and the try to connect to one address, may take.
        options: those of the command line that chose the configuration.

    Attributes:
        authority: HOST:PORT of the server.
        config: as given.
        seconds: as given.
        host: the host alone, without brackets.
        secure: whether it is asked by https.
        tunnelled: whether a proxy in between is one that `open` can speak to: the others take TLS
            or SOCKS.
        address: which one answered, for people; set by `open`.
        silent: what is to be said of those that did not.
    """

    def __init__(self, config: Config, seconds: float, options: str = "") -> None:
        scheme, host, port = split_host(config.base_url)
        self.config = config
        self.seconds = seconds
        self._options = options
        self._port = int(port)
        self.secure = scheme == "https"
        self.host = host.replace("%25", "%")  # the zone of a link-local address
        self.authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.address = ""
        self.silent = ""
        self._proxy = urlsplit(config.proxy_url) if config.proxy_url else None
        self.tunnelled = self._proxy is None or self._proxy.scheme.lower() == "http"
        self._who = f"the proxy {mask_password(config.proxy_url or '')}"
        self._source = config.sources.get("proxy_url", "")

    def open(self) -> socket.socket:
        """A connection that leads to the server, or to the proxy where that takes TLS or SOCKS.

        Raises:
            Found: "unknown-host", "refused", "no-connection" or "proxy-refused".
        """
        if self._proxy is None:
            return self._dial(self.host, self._port)
        port = self._proxy.port or _PORTS[self._proxy.scheme.lower()]
        connection = self._dial(self._proxy.hostname or "", port)
        if self.tunnelled and self.secure:
            try:
                self._tunnel(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def handshake(self, connection: socket.socket, tls: TLS) -> ssl.SSLSocket:
        """TLS on a connection to the server, without a client certificate.

        Args:
            connection: from `open`; it belongs to the result, or is closed.
            tls: how to check the server's certificate.

        Raises:
            CredentialError: the CA can't be used.
            OSError: no TLS came about; an SSLError is one.
        """
        context = make_context(tls, None)
        return context.wrap_socket(connection, server_hostname=self.host.encode())

    def ask(self, connection: socket.socket) -> Said:
        """GET the server's version, with no credential but the proxy's own.

        Args:
            connection: from `open` or `handshake`.

        Raises:
            OSError, http.client.HTTPException: no answer came, or it's no HTTP.
        """
        url = join(self.config.base_url, "/version")
        headers = {"Host": self.authority, "User-Agent": "proxyurls"}
        target = "/" + url.partition("://")[2].partition("/")[2]
        if self._proxy is not None and not self.secure:  # no tunnel: it wants the whole URL
            target = url
            headers.update(self._proxy_authorization())
        return ask(connection, "GET", target, headers, self.seconds)

    def _dial(self, host: str, port: int) -> socket.socket:
        addresses = self._look_up(host, port)
        failures: list[tuple[str, OSError]] = []
        for family, address in addresses:
            shown_address = (
                f"[{address[0]}]:{port}" if ":" in address[0] else f"{address[0]}:{port}"
            )
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.settimeout(self.seconds)
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                failures.append((shown_address, error))
            else:
                self.address = shown_address
                self.silent = "; ".join(self._why(*failure) for failure in failures)
                return connection
        raise self._unreached(failures)

    def _look_up(self, host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        """The addresses of a host. In a thread, since nothing limits how long the system takes."""
        answers: list[object] = []

        def look_up() -> None:
            try:  # as bytes: as text, the rules of internationalised names would come first
                answers.append(socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM))
            except OSError as error:
                answers.append(error)

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(self.seconds)
        if not answers:
            why = f"no answer within {self.seconds:g} seconds"
            raise self._unknown(host, why, silent=True)
        if isinstance(answers[0], OSError):
            error = answers[0]
            why = error.strerror or str(error)
            raise self._unknown(host, why, silent=error.errno == socket.EAI_AGAIN) from error
        found = [(row[0], row[4]) for row in answers[0]]  # type: ignore[attr-defined]
        return list(dict.fromkeys(found))

    def _unknown(self, host: str, why: str, *, silent: bool = False) -> Found:
        who = self._who if self._proxy else f"the server {self.config.server}"
        text = f"the host name {shown(host)} is not known here ({why}): it is that of {who}"
        if silent:
            remedy = "no name server answers: check the network, the VPN and /etc/resolv.conf"
            return Found("unknown-host", text, remedy)
        return Found("unknown-host", text, self._around() if self._proxy else None)

    def _unreached(self, failures: list[tuple[str, OSError]]) -> Found:
        refused = any(isinstance(error, ConnectionRefusedError) for _, error in failures)
        cause = "refused" if refused else "no-connection"
        who = self.config.server if self._proxy is None else self._who
        why = "; ".join(self._why(*failure) for failure in failures)
        remedy = None if self._proxy is None else self._around()
        return Found(cause, f"can't connect to {who}: {why}", remedy)

    def _why(self, address: str, error: OSError) -> str:
        if isinstance(error, ConnectionRefusedError):
            return f"{address} refused the connection"
        if isinstance(error, TimeoutError):
            return f"{address} did not answer within {self.seconds:g} seconds"
        if error.errno in _NO_ROUTE:
            return f"there is no route to {address}"
        return f"{address}: {error.strerror or error}"

    def _tunnel(self, connection: socket.socket) -> None:
        headers = {"Host": self.authority, **self._proxy_authorization()}
        try:
            said = ask(connection, "CONNECT", self.authority, headers, self.seconds)
        except (OSError, http.client.HTTPException) as error:
            raise Found(
                "proxy-refused",
                f"{self._who} gave no proper answer to CONNECT {self.authority} "
                f"({shown(str(error) or type(error).__name__)})",
                self._around(),
            ) from error
        if said.status == http.client.OK:
            return
        remedy = self._around()
        if said.status == http.client.PROXY_AUTHENTICATION_REQUIRED:
            url = (
                "http://USER:PASSWORD@" + (self._proxy.netloc if self._proxy else "").split("@")[-1]
            )
            remedy = f"write user name and password into its URL ({url}), or {remedy}"
        raise Found(
            "proxy-refused",
            f"{self._who} answered {phrase(said.status)} to CONNECT {self.authority}",
            remedy,
        )

    def _around(self) -> str:
        """How to change the proxy, or to go without."""
        if self._source.startswith("$") and " " not in self._source:  # not "$KUBECONFIG FILE"
            return f"mend {self._source}, or go around the proxy: export NO_PROXY={self.host}"
        cluster = self.config.cluster
        if cluster and "." not in cluster:  # which kubectl takes for a path
            unset = join_words(["kubectl", "config", "unset", f"clusters.{cluster}.proxy-url"])
            return (
                f"mend proxy-url in {self._source}, or go without: {unset} {self._options}".strip()
            )
        return CAUSES["proxy-refused"].remedy

    def _proxy_authorization(self) -> dict[str, str]:
        if self._proxy is None or self._proxy.username is None:
            return {}
        import base64

        pair = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
