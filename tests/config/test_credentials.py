"""Headers, token files and renewal."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest
import trustme

from config.kubeconfigs import one_context
from proxyurls.config import Config, Credential, Credentials
from proxyurls.config.token_file import TokenFile
from proxyurls.errors import CredentialError

if TYPE_CHECKING:
    from pathlib import Path

    from config.conftest import Load


def bearer(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


def test_basic(load: Load) -> None:
    config = load(one_context(user={"username": "ann", "password": "pä:ss"}))
    encoded = base64.b64encode("ann:pä:ss".encode()).decode()
    assert config.credential.kind == "basic"
    assert config.credentials().headers() == [("Authorization", f"Basic {encoded}")]
    assert not config.credentials().renew()


def test_none(load: Load) -> None:
    credentials = load(one_context(user={})).credentials()
    assert credentials.headers() == []
    assert not credentials.renew()


def test_impersonation_headers(load: Load) -> None:
    user = {
        "token": "t",
        "as": "system:serviceaccount:ns:ann",
        "as-uid": "7",
        "as-groups": ["g1", "g2"],
        "as-user-extra": {"example.com/some key%": ["a", "b"]},
    }
    assert load(one_context(user=user)).credentials().headers() == [
        *bearer("t"),
        ("Impersonate-User", "system:serviceaccount:ns:ann"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "g1"),
        ("Impersonate-Group", "g2"),
        ("Impersonate-Extra-example.com%2Fsome%20key%25", "a"),
        ("Impersonate-Extra-example.com%2Fsome%20key%25", "b"),
    ]


def test_a_config_made_by_hand_is_not_sent_in_the_clear_either() -> None:
    config = Config(server="http://h", credential=Credential(token="s3cret"))
    assert config.credentials().headers() == []
    assert config.credentials().ssl_context() is None
    assert config.base_url == "http://h"


def test_token_file_follows_the_kubelet(load: Load, tmp_path: Path) -> None:
    """The kubelet swaps a symbolic link to a folder."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"{name}\n")
    link = tmp_path / "data"
    link.symlink_to("one")
    config = load(one_context(user={"tokenFile": str(link / "token")}))
    credentials = config.credentials()
    assert config.credential.kind == "token-file"
    assert credentials.headers() == bearer("one")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(link)
    assert credentials.headers() == bearer("two")


def test_token_file_is_not_read_without_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    source = TokenFile(str(path))
    assert source.token() == "one"
    status = path.stat()
    path.write_text("two")  # of the same size, and then of the same time
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert source.token() == "one"
    now = source._read_at
    monkeypatch.setattr("time.monotonic", lambda: now + 61)
    assert source.token() == "two"


def test_last_good_token_outlives_a_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("good")
    source = TokenFile(str(path))
    assert source.token() == "good"
    for bad in ("", "two\nlines"):
        path.write_text(bad)
        assert source.token() == "good"
    path.unlink()
    assert source.token() == "good"
    path.write_text("better")
    assert source.token() == "better"


def test_literal_token_stands_in_for_an_unreadable_file(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "token"
    user = {"token": "literal", "tokenFile": str(path)}
    credentials = load(one_context(user=user)).credentials()
    assert credentials.headers() == bearer("literal")
    path.write_text("from file")
    assert credentials.headers() == bearer("from file")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"s3cret\nline", "more than one line"),
        (b"s3cret\xff", "is not text"),
        (None, "can't be read: No such file"),
    ],
    ids=["empty", "blank", "lines", "binary", "missing"],
)
def test_bad_token_file(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    config = Config(server="https://h", credential=Credential(token_file=str(path)))
    with pytest.raises(CredentialError, match=says) as caught:
        config.credentials().headers()
    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_renew_of_a_token_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    config = Config(server="https://h", credential=Credential(token_file=str(path)))
    credentials = Credentials(config)
    used = credentials.headers()
    assert not credentials.renew()
    assert not credentials.renew(used)
    path.write_text("two")
    assert credentials.renew(used)
    assert credentials.headers() == bearer("two")
    # Another request, refused with the old token after all that, may try again too.
    assert credentials.renew(used)


def test_a_ca_file_replaced_by_the_same_bytes_keeps_the_context(load: Load, tmp_path: Path) -> None:
    """The kubelet gives ca.crt a new inode whenever the token rotates; connections may stay."""
    first, other = trustme.CA(), trustme.CA()
    ca_file = tmp_path / "ca.crt"
    first.cert_pem.write_to_path(ca_file)
    live = load(one_context(cluster={"certificate-authority": str(ca_file)})).credentials()
    context = live.ssl_context()
    first.cert_pem.write_to_path(tmp_path / "new")
    (tmp_path / "new").replace(ca_file)
    assert live.ssl_context() is context
    ca_file.unlink()
    assert live.ssl_context() is context
    ca_file.write_text("half a certif", "utf-8")
    assert live.ssl_context() is context
    other.cert_pem.write_to_path(ca_file)
    assert live.ssl_context() is not context
