"""The gateway's own pages: what they say, and that nothing on them is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyurls.gateway import pages
from proxyurls.gateway.pages import Link

XSS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "'onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "javascript:alert(1)",
)
VOID = {"meta", "link", "input", "br", "img"}


class Document(HTMLParser):
    """A page as a browser would read it: elements, their attributes, and the text."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of that name."""
        return [attrs for name, attrs in self.elements if name == tag]


def every_page(text: str) -> dict[str, bytes]:
    """Each kind of page with a text in every place that takes one."""
    links = [Link(text, "/" + text)]
    return {
        "error": pages.error(502, text, text, remedy=text, links=links),
        "confirm": pages.confirm("http://a--b.localhost:1", "/" + text, app=text, sender=text),
        "unknown": pages.unknown_host(text, links, index="http://localhost:1/"),
    }


def shape(body: bytes) -> list[tuple[str, list[str]]]:
    """The elements and the names of their attributes."""
    return [(tag, sorted(attrs)) for tag, attrs in Document(body).elements]


@pytest.mark.parametrize("text", XSS)
@pytest.mark.parametrize("kind", ["error", "confirm", "unknown"])
def test_markup_is_text(kind: str, text: str) -> None:
    """A text from elsewhere adds no element and no attribute, and is shown as it is."""
    page = every_page(text)[kind]
    assert shape(page) == shape(every_page("plain")[kind])
    assert text in Document(page).text


@given(st.text(min_size=1))
def test_any_text(text: str) -> None:
    """Whatever the text, lone surrogates and control characters too, the page keeps its shape."""
    plain = every_page("plain")
    for kind, page in every_page(text).items():
        assert shape(page) == shape(plain[kind])
        assert Document(page).open == []
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]", page.decode()
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("größer 日本", "größer 日本"),
        ("a & b", "a &amp; b"),
        ("\u202egro.live", "\\u202egro.live"),
        ("a\u200eb\u2066c", "a\\u200eb\\u2066c"),
        ("\ud800", "\\ud800"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("two\nlines", "two lines"),
        ("\U000e0001tag", "\\U000e0001tag"),
        ("\u00a0", "\u00a0"),
        ("x" * 600, "x" * 500 + "…"),
        (404, "404"),
    ],
)
def test_escape(text: object, expected: str) -> None:
    """What can't be seen is shown by its number, and what is too long is cut."""
    assert pages.escape(text) == expected


def test_error_says_what_and_what_to_do() -> None:
    """Title, text, remedy and links, and the status that it comes with."""
    page = pages.error(
        502,
        "The apiserver does not answer",
        "It refused the connection.",
        remedy="Type: kubectl cluster-info",
        links=[Link("All services", "http://localhost:8001/")],
    )
    document = Document(page)
    for part in ("502 Bad Gateway", "It refused the connection.", "Type: kubectl cluster-info"):
        assert part in document.text
    assert document.named("a") == [{"href": "http://localhost:8001/"}]
    assert len(document.named("h1")) == len(document.named("main")) == 1


def test_a_status_without_a_phrase() -> None:
    """Numbers that nobody has named are shown as numbers."""
    assert "499" in Document(pages.error(499, "Gone", "It went.")).text


def test_confirm_leads_to_its_own_host_only() -> None:
    """A path with two slashes stays a path: alone it would be another host."""
    page = pages.confirm("http://a--b.localhost:8001", "//evil.example/?x=1", app="a in b")
    assert Document(page).named("a") == [
        {"class": "go", "href": "http://a--b.localhost:8001//evil.example/?x=1"}
    ]
    assert "Another site sent you here" in Document(page).text


@pytest.mark.parametrize("path", ["", "evil.example", "@evil.example/", ".evil.example/", ":9/"])
def test_confirm_takes_paths_alone(path: str) -> None:
    """What would change the host of the link is refused."""
    with pytest.raises(ValueError, match="begins with a slash"):
        pages.confirm("http://a--b.localhost:8001", path, app="a in b")


def test_a_long_address_is_linked_whole() -> None:
    """What is shown may be cut, where the link leads may not."""
    path = "/?q=" + "x" * 5000
    page = Document(pages.confirm("http://a--b.localhost:1", path, app="a in b"))
    assert page.named("a")[0]["href"] == "http://a--b.localhost:1" + path


def test_unknown_host_names_near_ones() -> None:
    """The near services, and the index behind them."""
    near = [Link("grafana in monitoring", "http://localhost:1/open/grafana--monitoring")]
    page = Document(pages.unknown_host("grafna--monitoring", near, index="http://localhost:1/"))
    assert [link["href"] for link in page.named("a")] == [near[0].href, "http://localhost:1/"]
    assert "grafna--monitoring" in page.text
    none = Document(pages.unknown_host("x", [], index="http://localhost:1/"))
    assert len(none.named("a")) == 1
    assert "near" not in none.text


@pytest.mark.parametrize("headers", [pages.HEADERS, pages.INDEX_HEADERS])
def test_policy(headers: tuple[tuple[str, str], ...]) -> None:
    """Nothing inline, nothing from elsewhere, no frame around it, no address given away."""
    given = dict(headers)
    policy = given["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert given["Referrer-Policy"] == "no-referrer"
    assert given["X-Content-Type-Options"] == "nosniff"


def test_no_script_on_an_apps_origin() -> None:
    """There 'self' would be the app's own scripts."""
    assert "script-src" not in dict(pages.HEADERS)["Content-Security-Policy"]
    assert all(not Document(page).named("script") for page in every_page("x").values())


def test_assets() -> None:
    """All that pages refer to is there, typed and tagged; nothing else is."""
    page = pages.frame("t", "", script=True).decode()
    names = re.findall(rf'(?:href|src)="{pages.ASSETS}([^"]*)"', page)
    assert sorted(names) == ["icon.svg", "index.css", "index.js"]
    for name in names:
        found = pages.asset(name)
        assert found is not None
        assert dict(found.headers)["ETag"] == found.etag == pages.etag_of(found.body)
        assert found.body
    assert dict(pages.asset("index.js").headers)["Content-Type"].startswith("text/javascript")  # type: ignore[union-attr]
    for name in ("", "../pages.py", "index.html", "INDEX.CSS", "__init__.py"):
        assert pages.asset(name) is None


def test_assets_name_no_other_host() -> None:
    """No font, picture or script from elsewhere."""
    for name in ("index.css", "index.js", "icon.svg"):
        found = pages.asset(name)
        assert found is not None
        text = found.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(?m)(^|\s)//.*$", "", text)
        assert "url(" not in text
        assert "innerHTML" not in text
        assert "eval" not in text


def test_no_inline_style_or_script() -> None:
    """The policy would refuse them."""
    for page in every_page("x").values():
        document = Document(page)
        assert document.named("style") == []
        for _, attrs in document.elements:
            assert not [name for name in attrs if name == "style" or name.startswith("on")]
