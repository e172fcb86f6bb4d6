# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of key made a detached OpenPGP signature (RFC 4880): servers verify those of some kinds only."""

from __future__ import annotations

import base64
from typing import Optional

_BEGIN, _END = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"
_SIGNATURE = 2
_NAMES = {1: "RSA", 3: "RSA", 17: "DSA", 19: "ECDSA", 22: "EdDSA", 27: "Ed25519", 28: "Ed448"}
# Every server that verifies signatures does it with a library that came before the Edwards curves.
_SERVERS_VERIFY = (1, 3, 17, 19)


def unverifiable_by_servers(signature: bytes) -> str:
    """The kind of the key that made a signature, if servers do not verify it; empty where they do or may."""
    algorithm = _key_algorithm(_dearmoured(signature))
    return "" if algorithm is None or algorithm in _SERVERS_VERIFY else _NAMES.get(algorithm, f"of kind {algorithm}")


def _dearmoured(signature: bytes) -> bytes:
    _before, begin, rest = signature.partition(_BEGIN)
    armoured, end, _behind = rest.partition(_END)
    if not begin or not end:
        return signature
    lines = [line.strip() for line in armoured.splitlines()[1:]]  # the first one is what follows BEGIN
    body = lines[lines.index(b"") + 1 :] if b"" in lines else lines  # after the headers
    try:
        return base64.b64decode(b"".join(line for line in body if not line.startswith(b"=")), validate=True)
    except ValueError:
        return b""


def _key_algorithm(packet: bytes) -> Optional[int]:
    """Of the first packet, None if it is no signature that is understood."""
    if len(packet) < 2 or not packet[0] & 0x80:
        return None
    if packet[0] & 0x40:
        tag = packet[0] & 0x3F
        start = 2 if packet[1] < 192 else 3 if packet[1] < 224 else 6
    else:
        tag = packet[0] >> 2 & 0x0F
        start = 1 + (1, 2, 4, 0)[packet[0] & 0x03]
    body = packet[start:]
    if tag != _SIGNATURE or len(body) < 16:
        return None
    return body[15] if body[0] in (2, 3) else body[2]
