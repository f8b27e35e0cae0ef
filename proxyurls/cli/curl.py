"""The curl command for ``url --curl``: every credential is named, none is shown."""

from __future__ import annotations

import os
import re
import shlex

from proxyurls.cli.console import say
from proxyurls.config import Credential
from proxyurls.config.server import mask_password, split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from proxyurls.config import Config

# curl resolves ".." and reads "[a-z]" in a URL unless it is told not to.
_ALWAYS = ("curl", "--globoff", "--path-as-is")
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy")


def print_curl(url: str, config: Config | None, args: argparse.Namespace) -> None:
    """Print the command on stdout, and on stderr how to get what it names.

    Args:
        url: the proxy URL.
        config: whose credentials to use; None where the base brings its own (kubectl proxy).
        args: the command line, for kubectl's options in the hints.
    """
    words = list(_ALWAYS)
    if args.request_timeout:
        words += ["--max-time", f"{args.request_timeout:g}"]
    if config is None:
        print(" ".join([*words, quote(url)]))
        return
    curl = _Curl(config, args)
    url = curl.server_name(url)
    curl.tls()
    curl.credential()
    curl.impersonation()
    curl.proxy()
    print(" ".join([*words, *curl.words, quote(url)]))
    for note in curl.notes:
        say("note", note)


def quote(text: str) -> str:
    r"""A text as one word of a shell; what a terminal must not get in bash's ``$'…'``.

    >>> quote("/pki/ca.crt"), quote("a b"), quote("a\u202e'")
    ('/pki/ca.crt', "'a b'", "$'a\\xe2\\x80\\xae\\''")
    """
    if text.isprintable():
        return shlex.quote(text)
    word = "".join(
        re.sub(r"[\\']", r"\\\g<0>", char)
        if char.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape"))
        for char in text
    )
    return f"$'{word}'"


class _Curl:
    """Collects the words of the command, already quoted, and the notes that go with them."""

    def __init__(self, config: Config, args: argparse.Namespace) -> None:
        self.config = config
        self.words: list[str] = []
        self.notes: list[str] = []
        view = "kubectl config view --raw --minify --flatten"
        for option in ("kubeconfig", "context", "cluster", "user"):
            value = getattr(args, option)
            view += f" --{option}={quote(value)}" if value else ""
        self._view = view

    def _extract(self, entry: str, key: str) -> str:
        return f"{self._view} -o jsonpath='{{.{entry}.{key}}}'"

    def server_name(self, url: str) -> str:
        """Curl checks the certificate for the URL's host, so that becomes tls-server-name."""
        name = self.config.tls.server_name
        scheme, host, port = split_host(self.config.base_url)
        if not name or scheme != "https":
            return url
        authority, slash, path = url.partition("://")[2].partition("/")
        host = f"[{host}]" if ":" in host else host
        self.words += ["--connect-to", quote(f"{name}:{port}:{host}:{port}")]
        self.words += ["-H", quote(f"Host: {authority}")]
        return f"{scheme}://{name}:{port}{slash}{path}"

    def tls(self) -> None:
        """How the server proves who it is, and the client certificate."""
        tls = self.config.tls
        if not self.config.base_url.startswith("https:"):
            return
        if tls.insecure:
            self.words.append("-k")
        elif tls.ca_data:
            self._file("--cacert", "ca.crt", "clusters[0].cluster", "certificate-authority-data")
        elif tls.ca_file:
            self.words += ["--cacert", quote(tls.ca_file)]
        certificate = self.config.credential.certificate
        if certificate is None:
            return
        for option, path, name, key in (
            ("--cert", certificate.certificate_file, "client.crt", "client-certificate-data"),
            ("--key", certificate.key_file, "client.key", "client-key-data"),
        ):
            if path:
                self.words += [option, quote(path)]
            else:
                self._file(option, name, "users[0].user", key)

    def _file(self, option: str, name: str, entry: str, key: str) -> None:
        """A file that is only data in the kubeconfig, and how to make it."""
        self.words += [option, name]
        command = f"{self._extract(entry, key)} | base64 -d > {name}"
        if key == "client-key-data":
            command = f"(umask 077; {command})"
        self.notes.append(f"make {name} with: {command}")

    def credential(self) -> None:
        """The Authorization header, by name."""
        credential = self.config.credential
        if credential.kind == "token-file":
            command = f"$(cat {quote(credential.token_file)})"
            self.words += ["-H", f'"Authorization: Bearer {command}"']
        elif credential.kind in ("token", "exec"):
            self.words += ["-H", '"Authorization: Bearer $TOKEN"']
            if credential.exec and credential.kind == "exec":
                self.notes.append(
                    "set TOKEN to status.token of what the credential plugin prints "
                    f"({credential.exec.command}, in the kubeconfig's user {self.config.user!r})"
                )
            elif "--token" in self.config.sources.get("credential", ""):
                self.notes.append("set TOKEN to what you gave as --token")
            else:
                self.notes.append(
                    f"set TOKEN with: TOKEN=$({self._extract('users[0].user', 'token')})"
                )
        elif credential.kind == "basic":
            self.words += ["-u", f'{quote(credential.username)}:"$PASSWORD"']
            command = self._extract("users[0].user", "password")
            self.notes.append(f"set PASSWORD with: PASSWORD=$({command})")

    def impersonation(self) -> None:
        """The Impersonate-* headers."""
        # Without a credential nothing is read or run for the headers.
        nobody = self.config.replaced(credential=Credential())
        for name, value in nobody.credentials().headers():
            self.words += ["-H", quote(f"{name}: {value}")]

    def proxy(self) -> None:
        """The proxy that kubectl would use, which is not always curl's choice."""
        proxy = self.config.proxy_url
        if proxy is None:
            if any(os.environ.get(name) for name in _PROXY_VARIABLES):
                self.words += ["--noproxy", "'*'"]
            return
        masked = mask_password(proxy)
        source = self.config.sources.get("proxy_url", "")
        if masked == proxy:
            self.words += ["-x", quote(proxy)]
        elif source.startswith("$"):
            self.words += ["-x", f'"{source}"']
        else:
            self.words += ["-x", quote(masked)]
            self.notes.append("replace *** by the proxy's password, which the kubeconfig holds")
