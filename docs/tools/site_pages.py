# ruff: noqa: INP001  (no package: mkdocs loads it by its path)
"""What mkdocs asks of us (.mkdocs.yml, hooks): the pages of the site that are not in docs/.

The landing page is README.md, and CHANGELOG.md is a page. The files of examples/ are the sections
of another, since links into the repository lead nowhere on the site. The API reference has a
section for each public name; mkdocstrings fills them in.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

import proxyurls
from proxyurls import testing

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_LANGUAGES = {".py": "python", ".yaml": "yaml"}
_HOMES = {
    "Targets and URLs": ("segment", "suffix", "target", "urls"),
    "The apiserver and who is asking": ("config",),
    "The cluster": ("cluster", "async_cluster", "discovery", "resolve"),
    "httpx transports": ("transport",),
    "Errors": ("errors",),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of other files."""
    root = Path(config.docs_dir).parent
    made = {
        "index.md": (root / "README.md").read_text("utf-8").replace("](docs/", "]("),
        "changelog.md": (root / "CHANGELOG.md").read_text("utf-8"),
        "examples.md": examples(root / "examples"),
        "api.md": reference(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead links to examples/ and the other files of the repository to the page that has them.

    ``console offline`` tells our tests something; superfences takes one word, or it is no fence.
    """
    markdown = markdown.replace("```console offline\n", "```console\n")
    markdown = re.sub(
        r"\]\((?:\.\./)?examples/?([^)]*)\)",
        lambda link: f"](examples.md{_anchor(link[1])})",
        markdown,
    )
    for file, page in (("README.md", "index.md"), ("CHANGELOG.md", "changelog.md")):
        markdown = markdown.replace(f"](../{file}", f"]({page}")
    return markdown


def examples(folder: Path) -> str:
    """A page with each of the examples, by its name."""
    parts = ["# Examples\n\nThe programs and manifests of the [cookbook](cookbook.md).\n"]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if "__pycache__" in name:
            continue
        if path.is_dir():
            parts.append(f'<a id="{_anchor(name)[1:]}"></a>\n')
        else:
            text = path.read_text("utf-8")
            language = _LANGUAGES.get(path.suffix, "text")
            parts.append(f"## `{name}` {{{_anchor(name)}}}\n\n```{language}\n{text}```\n")
    return "\n".join(parts)


def reference() -> str:
    """A page with a section for each public name."""
    parts = [
        "# API reference\n",
        "All of it is imported from `proxyurls`, and the last section from `proxyurls.testing`;",
        "[the library](library.md) shows how it is used.\n",
    ]
    homes = {name: getattr(proxyurls, name).__module__.split(".")[1] for name in proxyurls.__all__}
    for title, modules in _HOMES.items():
        names = [name for name, home in homes.items() if home in modules]
        homes = {name: home for name, home in homes.items() if name not in names}
        parts += _section(title, "proxyurls", names)
    if homes:
        raise LookupError(f"no section of the API reference has {sorted(homes)}")
    parts += _section("A fake cluster", "proxyurls.testing", testing.__all__)
    return "\n".join(parts)


def _section(title: str, package: str, names: list[str]) -> list[str]:
    return [f"## {title}\n", *(f"::: {package}.{name}\n" for name in names)] if names else []


def _anchor(name: str) -> str:
    """The anchor of a file or folder of examples/."""
    return f"#{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}" if name else ""
