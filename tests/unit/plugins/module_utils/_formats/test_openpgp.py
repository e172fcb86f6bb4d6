# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of key made a signature: held against signatures that gpg makes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.openpgp import unverifiable_by_servers
from hypothesis import given
from hypothesis import strategies as st

from plugops_tests.support import signing

needs_gpg = pytest.mark.skipif(bool(signing.missing()), reason="needs gpg, to sign")


@needs_gpg
@pytest.mark.parametrize("armour", [False, True])
@pytest.mark.parametrize(
    ("kind", "expected"), [("rsa2048", ""), ("dsa2048", ""), ("nistp256", ""), ("ed25519", "EdDSA")]
)
def test_kinds_of_keys(tmp_path: Path, kind: str, expected: str, armour: bool) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"content")
    with signing.signers("kind") as made:
        signature = made["kind"].make(kind=kind).sign(content, tmp_path / "content.sig", armour)
    assert signature.read_bytes().startswith(b"-----BEGIN") == armour
    assert unverifiable_by_servers(signature.read_bytes()) == expected


@pytest.mark.parametrize("version", [3, 4, 6])
def test_headers_of_the_new_format(version: int) -> None:
    fields = bytes([3, 5, 0]) + bytes(12) + bytes([22]) if version == 3 else bytes([version, 0, 22])
    body = fields + bytes(300)
    for size in (bytes([191]), bytes([193, 10]), bytes([255, 0, 0, 1, 0])):
        assert unverifiable_by_servers(bytes([0x80 | 0x40 | 2]) + size + body) == "EdDSA"


@given(st.binary(max_size=40))
def test_anything_is_taken(content: bytes) -> None:
    armoured = b"-----BEGIN PGP SIGNATURE-----\n\n" + content + b"\n-----END PGP SIGNATURE-----\n"
    assert isinstance(unverifiable_by_servers(content), str)
    assert isinstance(unverifiable_by_servers(armoured), str)


@pytest.mark.parametrize("piece", [b"\n", b"-----BEGIN PGP SIGNATURE-----\n", b"-----BEGIN PGP SIGNATURE-----"])
def test_a_signature_without_end_takes_linear_time(piece: bytes) -> None:
    signature = b"-----BEGIN PGP SIGNATURE-----" + piece * (1024 * 1024 // len(piece))
    started = time.process_time()
    assert unverifiable_by_servers(signature) == ""
    assert time.process_time() - started < 2
