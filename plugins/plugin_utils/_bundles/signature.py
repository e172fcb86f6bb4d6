# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached OpenPGP signatures of bundles, verified on the controller by gpgv or gpg."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
import subprocess
import tempfile
from typing import Dict, List, Tuple

from ...module_utils._core.errors import OperatorError
from ...module_utils._http.downloads import SIGNATURE_LIMIT
from .facts import BundleFacts, stamp_of

_BEGIN, _END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
KEYRING_LIMIT = 64 * 1024 * 1024  # that of all of Debian's developers has 30 MB
_REMEDY = (
    "take the bundle and its signature from the publisher again; if the publisher has a new key that you trust, put it "
    "into the keyring"
)


def read_signature(path: str) -> bytes:
    """The content of a detached signature.

    :raises OperatorError: it cannot be read, or is far too large to be one
    """
    try:
        with open(path, "rb") as source:
            data = source.read(SIGNATURE_LIMIT + 1)
    except OSError as error:
        raise OperatorError(
            "the signature cannot be read",
            where=path,
            found=error.strerror or str(error),
            remedy="check the path, and that you may read the file",
        ) from error
    if not 0 < len(data) <= SIGNATURE_LIMIT:
        raise OperatorError(
            "this is no detached signature",
            where=path,
            found=f"{len(data)} bytes or more" if data else "an empty file",
            remedy="take the signature from the publisher again",
        )
    return data


class Verifier:
    """Verifies signatures against the keys that the operator trusts.

    :param keyring: public keys: binary as ``gpg --export`` writes them, ASCII-armoured, or a keybox
    :param facts: knows what was verified before
    """

    def __init__(self, keyring: str, facts: BundleFacts) -> None:
        self._keyring = keyring
        self._facts = facts

    def verify(self, bundle: str, signature: str, where: str) -> str:
        """Fingerprint of the key that signed the bundle.

        :param bundle: path; its facts have been read
        :param signature: path
        :raises OperatorError: the signature is none of this bundle by a valid key of the keyring
        """
        evidence = hashlib.sha256(read_signature(signature) + self._keys()).hexdigest()
        known = self._facts.verified(bundle, evidence)
        if known is not None:
            return known
        before = stamp_of(bundle)
        with tempfile.TemporaryDirectory(prefix="plugops-gpg-") as home:
            keyring = os.path.join(home, "keyring")
            with open(keyring, "wb") as out:
                out.write(dearmoured(self._keys(), self._keyring))
            code, status, output = _run(_command(home, keyring), signature, bundle)
        fingerprint = _signer(status) if code == 0 else ""
        if not fingerprint or stamp_of(bundle) != before:
            raise OperatorError(
                "the signature of the bundle is not valid",
                where=f"{where}, {bundle}, {signature}",
                found=_reason(status) or output or "the bundle was changed meanwhile",
                wanted=f"a signature by a valid key of {self._keyring}",
                remedy=_REMEDY,
            )
        self._facts.keep_verified(bundle, evidence, fingerprint)
        return fingerprint

    def _keys(self) -> bytes:
        try:
            with open(self._keyring, "rb") as source:
                data = source.read(KEYRING_LIMIT + 1)
        except OSError as error:
            raise OperatorError(
                "the keyring cannot be read",
                where=self._keyring,
                found=error.strerror or str(error),
                remedy="name a file with the public keys that you trust, as gpg --export writes it",
            ) from error
        if len(data) > KEYRING_LIMIT:
            raise OperatorError(
                "the keyring is too large",
                where=self._keyring,
                wanted=f"at most {KEYRING_LIMIT} bytes",
                remedy="name a file with the public keys that you trust, as gpg --export writes it",
            )
        return data


def dearmoured(data: bytes, where: str) -> bytes:
    """Public keys in binary, from ASCII armour if need be: gpgv reads no other."""
    if b"-----BEGIN PGP " not in data:
        return data
    try:
        parts = [part.partition(_END) for part in data.split(_BEGIN)[1:]]
        blocks = [_block(armoured) for armoured, end, _behind in parts if end]
    except (ValueError, binascii.Error) as error:
        raise OperatorError(
            "the keyring is damaged", where=where, found=str(error), remedy="write it again with gpg --export"
        ) from error
    if not blocks:
        raise OperatorError("the keyring holds no public keys", where=where, remedy="write it with gpg --export")
    return b"".join(blocks)


def _block(armoured: bytes) -> bytes:
    lines = [line.strip() for line in armoured.splitlines()[1:]]  # the first one is what follows BEGIN
    body = lines[lines.index(b"") + 1 :]  # after the headers
    return base64.b64decode(b"".join(line for line in body if not line.startswith(b"=")), validate=True)


def _command(home: str, keyring: str) -> List[str]:
    gpgv = shutil.which("gpgv")
    if gpgv:
        return [gpgv, "--homedir", home, "--keyring", keyring, "--status-fd", "1"]
    gpg = shutil.which("gpg")
    if gpg:
        options = ["--batch", "--no-tty", "--no-options", "--no-auto-key-retrieve", "--trust-model", "always"]
        own = ["--homedir", home, "--no-default-keyring", "--keyring", keyring]
        return [gpg, *options, *own, "--status-fd", "1", "--verify"]
    raise OperatorError(
        "neither gpgv nor gpg is on this controller, so no signature can be verified",
        remedy="install one of them (Debian and Ubuntu: apt install gpgv)",
    )


def _run(command: List[str], signature: str, bundle: str) -> Tuple[int, Dict[str, List[str]], str]:
    """Exit code, status keyword -> its arguments, and the rest of the output."""
    done = subprocess.run(
        [*command, "--", os.path.abspath(signature), os.path.abspath(bundle)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    status: Dict[str, List[str]] = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "[GNUPG:]":
            status.setdefault(words[1], words[2:])
    return done.returncode, status, " ".join(done.stderr.decode("utf-8", "replace").split())


def _signer(status: Dict[str, List[str]]) -> str:
    good = "GOODSIG" in status and not {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"} & set(status)
    return status["VALIDSIG"][0] if good and status.get("VALIDSIG") else ""


def _reason(status: Dict[str, List[str]]) -> str:
    def key(word: str) -> str:
        return (status[word] or ["unknown"])[0]

    if "BADSIG" in status:
        return f"a signature by key {key('BADSIG')} over other content than this bundle's"
    if "NO_PUBKEY" in status or "ERRSIG" in status:
        return f"a signature by key {key('NO_PUBKEY' if 'NO_PUBKEY' in status else 'ERRSIG')}, not in the keyring"
    for word, what in (("EXPKEYSIG", "expired key"), ("REVKEYSIG", "revoked key"), ("EXPSIG", "key, but expired,")):
        if word in status:
            return f"a signature by the {what} {key(word)}"
    return "no OpenPGP signature" if "NODATA" in status else ""
