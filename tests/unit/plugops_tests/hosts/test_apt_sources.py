# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading apt's sources: against apt itself, and against sources written in both formats."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.hosts import apt_sources
from plugops_tests.hosts.apt_sources import Source

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not on this machine")

WORD = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
SOURCES = st.builds(
    Source,
    uri=st.builds("{}://{}.example/{}".format, st.sampled_from(["http", "https"]), WORD, WORD),
    suite=WORD,
    components=st.lists(WORD, min_size=1, max_size=3, unique=True).map(tuple),
    signed_by=st.sampled_from(["", "/usr/share/keyrings/a.gpg", "/etc/apt/keyrings/b.asc /etc/apt/keyrings/c.gpg"]),
    trusted=st.booleans(),
)


def one_line(source: Source, gap: str = " ", comment: str = "") -> str:
    options = [f"signed-by={source.signed_by.replace(' ', ',')}"] if source.signed_by else []
    options += ["trusted=yes"] if source.trusted else []
    bracket = [f"[ {gap.join(options)} ]"] if options else []
    return gap.join(["deb", *bracket, source.uri, source.suite, *source.components]) + comment


def deb822(source: Source) -> str:
    lines = [
        "# Debian",
        "Types: deb-src deb",
        f"URIs: {source.uri}",
        f"suites:\n# remark: in the middle\n {source.suite}",
        "# main is what we need",
        f"Components: {' '.join(source.components)}",
    ]
    lines += [f"Signed-By: {source.signed_by}"] if source.signed_by else []
    lines += ["Trusted: yes"] if source.trusted else []
    return "\n".join(lines) + "\n"


@given(st.lists(SOURCES, max_size=4), st.sampled_from([" ", "  ", "\t"]), st.sampled_from(["", " # why", "#x"]))
def test_one_line_format_gives_back_what_was_written(sources: list[Source], gap: str, comment: str) -> None:
    noise = ["# deb http://commented.example/x y z", "", "deb-src http://source.example/debian bookworm main"]
    text = "\n".join([*noise, *(one_line(source, gap, comment) for source in sources)])
    assert list(apt_sources.parse_one_line(text)) == sources


@given(st.lists(SOURCES, max_size=4), st.sampled_from(["\n", "\n\n", " \n"]))
def test_deb822_format_gives_back_what_was_written(sources: list[Source], gap: str) -> None:
    disabled = "Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n"
    only_source = "Types: deb-src\nURIs: http://source.example/debian\nSuites: bookworm\nComponents: main\n"
    text = gap.join([disabled, *(deb822(source) for source in sources), only_source])
    assert list(apt_sources.parse_deb822(text)) == sources


def test_deb822_lists_make_one_source_for_each_uri_and_suite() -> None:
    text = (
        "Types: deb\nURIs: http://a.example/debian http://b.example/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main contrib\n"
    )
    found = [(source.uri, source.suite, source.components) for source in apt_sources.parse_deb822(text)]
    assert found == [
        (f"http://{host}.example/debian", suite, ("main", "contrib"))
        for host in "ab"
        for suite in ("bookworm", "bookworm-updates")
    ]


@needs_apt
@settings(max_examples=10)
@given(st.lists(SOURCES, min_size=1, max_size=4, unique_by=lambda source: (source.uri, source.suite)), st.data())
def test_apt_reads_the_same_sources(
    tmp_path_factory: pytest.TempPathFactory, sources: list[Source], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("apt")
    parts = directory / "parts"
    parts.mkdir()
    for number, source in enumerate(sources):
        # apt wants one opinion on the keys of one repository; what the keys are is not compared here
        plain = Source(source.uri, source.suite, source.components)
        where = data.draw(st.sampled_from(["list", "part.list", "part.sources"]))
        if where == "list":
            with open(directory / "sources.list", "a") as file:
                file.write(one_line(plain, comment=" # x") + "\n")
        else:
            text = one_line(plain) if where == "part.list" else deb822(plain)
            (parts / f"{number}{where.removeprefix('part')}").write_text(text)
    found = apt_sources.read_sources(directory / "sources.list", parts)
    assert {(s.uri, s.suite, c) for s in found for c in s.components} == _as_apt_reads(
        directory / "sources.list", parts
    )
    assert len(found) == len(sources)


def _as_apt_reads(sources_list: Path, parts: Path) -> set[tuple[str, str, str]]:
    options = ["-o", f"Dir::Etc::sourcelist={sources_list}", "-o", f"Dir::Etc::sourceparts={parts}"]
    done = subprocess.run(
        ["apt-get", *options, "update", "--print-uris"], capture_output=True, text=True, check=True, timeout=30
    )
    matches = re.findall(r"^'(\S+)/dists/(\S+)/(\S+)/binary-all/Packages", done.stdout, re.MULTILINE)
    return {(uri, suite, component) for uri, suite, component in matches}


POLICY = """\
Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://third.example/debian bookworm/main amd64 Packages
     release o=Third Party,a=bookworm,n=bookworm,l=Debian,c=main,b=amd64
     origin third.example
 500 http://mirror.example/some/where bookworm/main amd64 Packages
     release v=12.1,o=Debian,a=stable,n=bookworm,l=Debian,c=main,b=amd64
     origin mirror.example
 500 http://security.example/debian-security bookworm-security/main amd64 Packages
     release v=12,o=Debian,a=stable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64
     origin security.example
Pinned packages:
"""


def test_policy_tells_debian_from_third_parties() -> None:
    assert apt_sources.debian_uris(POLICY) == {"http://mirror.example/some/where"}


def test_the_archive_is_chosen_that_apt_knows_to_be_debian() -> None:
    third = Source("http://third.example/debian", "bookworm", ("main",))
    debian = Source("http://mirror.example/some/where/", "bookworm", ("main",))
    assert apt_sources.choose([third, debian], apt_sources.debian_uris(POLICY), "bookworm") == debian
    assert apt_sources.choose([third, debian], apt_sources.debian_uris(POLICY), "trixie") == debian


@pytest.mark.parametrize(
    "source",
    [
        Source("http://security.example/debian", "bookworm-security", ("main",)),
        Source("http://third.example/apt", "bookworm", ("main",)),
        Source("http://mirror.example/debian", "bookworm", ("contrib",)),
        Source("http://mirror.example/debian", "jammy", ("main",)),
        Source("cdrom:[Debian GNU/Linux 12 _Bookworm_]/debian", "bookworm", ("main",)),
        Source("mirror+file:/nonexistent/mirrors/debian", "bookworm", ("main",)),
    ],
)
def test_sources_that_debootstrap_cannot_use_are_left_alone(source: Source) -> None:
    assert apt_sources.choose([source], set(), "bookworm") is None


def test_the_release_that_is_wanted_wins_among_equals() -> None:
    other = Source("http://one.example/debian", "bookworm", ("main",))
    wanted = Source("http://two.example/debian", "trixie", ("main",))
    assert apt_sources.choose([other, wanted], set(), "trixie") == wanted


@pytest.mark.parametrize("scheme", ["mirror+file:", "mirror:file:", "mirror+file://"])
def test_a_mirror_list_stands_for_its_first_mirror(tmp_path: Path, scheme: str) -> None:
    listed = tmp_path / "debian.list"
    listed.write_text("# mirrors\n\nhttp://first.example/debian\tpriority:1\nhttp://second.example/debian\n")
    source = Source(f"{scheme}{listed}", "bookworm", ("main",))
    assert apt_sources.choose([source], set(), "bookworm") == source
    assert apt_sources._resolved(source.uri) == "http://first.example/debian"


@given(st.binary(min_size=1, max_size=200))
def test_armoured_keys_become_the_packets_they_hold(body: bytes) -> None:
    packets = b"\x99" + body
    text = base64.encodebytes(packets).decode()
    armoured = f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\n{text}=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
    in_sources = "\n".join(
        ["-----BEGIN PGP PUBLIC KEY BLOCK-----", ".", *text.split(), "-----END PGP PUBLIC KEY BLOCK-----"]
    )
    assert apt_sources._packets(armoured.encode()) == packets
    assert apt_sources._packets(in_sources.encode()) == packets
    assert apt_sources._packets(packets) == packets


def test_a_keybox_is_not_mixed_into_the_keyring() -> None:
    assert apt_sources._packets(b"\x00\x00\x00\x20\x01\x01\x00\x02KBXf") == b""


@needs_apt
def test_keys_are_those_of_the_source_or_else_all_that_apt_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt_sources, "_ARCHIVE_KEYRING", tmp_path / "archive.gpg")
    (tmp_path / "archive.gpg").write_bytes(b"\x99archive")
    (tmp_path / "own.gpg").write_bytes(b"\x99own")
    (tmp_path / "trusted.d").mkdir()
    (tmp_path / "trusted.d" / "a.gpg").write_bytes(b"\x99trusted")
    apt = {"TRUSTED": str(tmp_path / "absent.gpg"), "TRUSTED_PARTS": str(tmp_path / "trusted.d")}
    named = Source("http://a.example/debian", "bookworm", ("main",), signed_by=str(tmp_path / "own.gpg"))
    unnamed = Source("http://a.example/debian", "bookworm", ("main",))
    assert apt_sources.collect_keys(named, apt) == b"\x99own\x99archive"
    assert apt_sources.collect_keys(unnamed, apt) == b"\x99trusted\x99archive"


def test_the_proxy_of_apt_is_used_where_the_environment_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = "HTTP_PROXY='http://proxy.example:3128'\nHTTPS_PROXY='DIRECT'\n"
    monkeypatch.setattr(apt_sources, "run", lambda argv: shell)
    assert apt_sources.proxy_environment({}) == {"http_proxy": "http://proxy.example:3128"}
    assert apt_sources.proxy_environment({"http_proxy": "mine"}) == {"http_proxy": "mine"}
