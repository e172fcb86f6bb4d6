# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this machine's apt gets Debian from: mirror, keys and proxy, so that no address stands in the repository.

Formats: sources.list(5), one-line and deb822.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .commands import HostsError, run

SUITES = ("bullseye", "bookworm", "trixie")
_RELEASES = (*SUITES, "forky", "sid", "stable", "oldstable", "oldoldstable", "testing", "unstable")
_ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>(?:\[[^\]]*\]|\S)+)\s+(?P<suite>\S+)(?P<components>.*)"
)
_TRUE = ("yes", "true", "on", "with", "enable", "1")
_FALSE = ("no", "false", "off", "without", "disable", "0")


@dataclass(frozen=True)
class Source:
    """One binary repository: one URI, one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False


@dataclass(frozen=True)
class Mirror:
    """A Debian archive that debootstrap can use. `keys` are OpenPGP packets; `trusted` means: check no signature."""

    uri: str
    keys: bytes
    trusted: bool


def parse_one_line(text: str) -> Iterator[Source]:
    """The sources of a `sources.list` or `*.list` file."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.split("#")[0].strip())
        if match is None:
            continue
        options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
        yield Source(
            uri=match["uri"],
            suite=match["suite"],
            components=tuple(match["components"].split()),
            signed_by=options.get("signed-by", "").replace(",", " "),
            trusted=options.get("trusted", "").lower() in _TRUE,
        )


def parse_deb822(text: str) -> Iterator[Source]:
    """The sources of a `*.sources` file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = fields.get(name, "") + "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in _FALSE:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", "").strip(),
                    trusted=fields.get("trusted", "").lower() in _TRUE,
                )


def read_sources(sources_list: Path, sources_parts: Path) -> list[Source]:
    """All sources of this machine, in the order in which apt reads them."""
    found = list(parse_one_line(sources_list.read_text())) if sources_list.is_file() else []
    for path in sorted(sources_parts.glob("*")):
        if path.suffix == ".list":
            found += parse_one_line(path.read_text())
        elif path.suffix == ".sources":
            found += parse_deb822(path.read_text())
    return found


def debian_uris(policy: str) -> set[str]:
    """The URIs which, says `apt-cache policy`, hold Debian itself and not a third party's packages for Debian."""
    found = set()
    uri = ""
    for line in policy.splitlines():
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[0].lstrip("-").isdigit():
            uri = words[1]
        elif words[:1] == ["release"] and {"o=Debian", "l=Debian"} <= set(" ".join(words[1:]).split(",")):
            found.add(uri.rstrip("/"))
    return found


def choose(sources: Iterable[Source], verified: set[str], suite: str) -> Source | None:
    """The source that can serve `suite`. One archive holds all releases: which one it is listed for only ranks."""
    usable = []
    for source in sources:
        uri = _resolved(source.uri)
        certain = source.uri.rstrip("/") in verified
        listed = source.suite in _RELEASES and "main" in source.components
        if listed and re.match(r"(https?|file):", uri) and (certain or re.search(r"/debian/?$", uri)):
            usable.append((certain, source.suite == suite, source))
    return max(usable, key=lambda entry: entry[:2])[2] if usable else None


def find_mirror(suite: str) -> Mirror:
    """The mirror to build `suite` from, as apt on this machine is set up; HostsError when it names none."""
    apt = _apt_settings()
    sources = read_sources(Path(apt["SOURCES_LIST"]), Path(apt["SOURCES_PARTS"]))
    source = choose(sources, debian_uris(run(["apt-cache", "policy"])), suite)
    if source is None:
        raise HostsError(
            "apt's sources on this machine name no Debian archive (component main, http, https or file);"
            " add one, run apt-get update, or give --mirror"
        )
    return Mirror(_resolved(source.uri), collect_keys(source, apt), source.trusted)


def given_mirror(uri: str) -> Mirror:
    """A mirror that the caller names; its signature is checked with the keys that apt trusts."""
    return Mirror(uri, collect_keys(Source(uri, "", ()), _apt_settings()), False)


def collect_keys(source: Source, apt: dict[str, str]) -> bytes:
    """The keys that apt accepts for this source, and Debian's own, as one keyring that gpgv reads."""
    blocks = []
    if source.signed_by.startswith("-----BEGIN"):
        blocks.append(source.signed_by.encode())
        files = []
    else:
        files = [Path(word) for word in source.signed_by.split() if word.startswith("/")]
        if not files:
            files = [Path(apt["TRUSTED"]), *sorted(Path(apt["TRUSTED_PARTS"]).glob("*"))]
    blocks += [path.read_bytes() for path in [*files, _ARCHIVE_KEYRING] if path.is_file()]
    return b"".join(_packets(block) for block in blocks)


def proxy_environment(environ: dict[str, str]) -> dict[str, str]:
    """`environ` with apt's proxies set, where the environment names none."""
    apt = _apt_settings()
    found = {}
    for scheme in ("http", "https"):
        proxy = apt.get(f"{scheme.upper()}_PROXY", "")
        if proxy and proxy != "DIRECT" and f"{scheme}_proxy" not in environ:
            found[f"{scheme}_proxy"] = proxy
    return {**environ, **found}


def _apt_settings() -> dict[str, str]:
    wanted = {
        "SOURCES_LIST": "Dir::Etc::sourcelist/f",
        "SOURCES_PARTS": "Dir::Etc::sourceparts/d",
        "TRUSTED": "Dir::Etc::trusted/f",
        "TRUSTED_PARTS": "Dir::Etc::trustedparts/d",
        "HTTP_PROXY": "Acquire::http::Proxy",
        "HTTPS_PROXY": "Acquire::https::Proxy",
    }
    shell = run(["apt-config", "shell", *(word for pair in wanted.items() for word in pair)])
    return dict(word.split("=", 1) for word in shlex.split(shell))


def _resolved(uri: str) -> str:
    """The first mirror of a `mirror+file:` list, which Debian's cloud images use; any other URI as it is."""
    match = re.fullmatch(r"mirror[+:]file:/*(?P<path>/.*)", uri)
    if match is None or not os.path.isfile(match["path"]):
        return uri
    lines = [line.split() for line in Path(match["path"]).read_text().splitlines() if not line.startswith("#")]
    return next((words[0] for words in lines if words), uri)


def _packets(block: bytes) -> bytes:
    """OpenPGP packets of a key file, armoured (RFC 4880, 6.2) or not; nothing for a format that gpgv cannot join."""
    text = block.decode("ascii", "replace")
    found = b""
    for body in re.findall(r"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP", text, re.DOTALL):
        lines = [line.strip() for line in body.splitlines()]
        data = [line for line in lines if line and line != "." and not line.startswith("=") and ": " not in line]
        found += base64.b64decode("".join(data))
    if found:
        return found
    return block if block[:1] in (b"\x98", b"\x99", b"\xc6") else b""
