# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures made by gpg, verified by gpgv and by gpg."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Dict, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles import facts as facts_module
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles import signature as signature_module
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.facts import BundleFacts
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.signature import Verifier, dearmoured

from plugops_tests.support import signing
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.signing import Signer

pytestmark = pytest.mark.skipif(bool(signing.missing()), reason=f"not installed: {', '.join(signing.missing())}")


@pytest.fixture(scope="module")
def signers() -> Iterator[Dict[str, Signer]]:
    """Keys: ours, a foreign one, one that has expired, one that is revoked."""
    with signing.signers("ours", "foreign", "expired", "revoked") as made:
        past = "--faked-system-time=20200101T000000"
        made["expired"].make(past, expires="20210101T000000")
        for name in ("ours", "foreign", "revoked"):
            made[name].make()
        yield made


@pytest.fixture(params=["gpgv", "gpg"])
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one program of the two that the controller has."""
    path = tmp_path / "bin"
    path.mkdir()
    found = shutil.which(request.param)
    assert found is not None
    (path / request.param).symlink_to(found)
    real = shutil.which
    monkeypatch.setattr(signature_module.shutil, "which", lambda name: real(name, path=str(path)))
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path, "com.example.plugin", "1.2.0")


def keyring(tmp_path: Path, *signers: Signer, armour: bool = False) -> str:
    path = tmp_path / "keyring"
    path.write_bytes(b"".join(signer.public_key(armour) for signer in signers))
    return str(path)


def verify(tmp_path: Path, keys: str, bundle: Path, signature: Path) -> str:
    facts = BundleFacts(str(tmp_path / "facts.json"))
    facts.of(str(bundle))
    found = Verifier(keys, facts).verify(str(bundle), str(signature), "plugins, entry 1")
    facts.save()
    return found


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("armoured", [False, True], ids=["binary", "armoured"])
@pytest.mark.parametrize("form", ["binary", "armoured", "keybox"])
def test_a_good_signature(tmp_path: Path, bundle: Path, signers: Dict[str, Signer], armoured: bool, form: str) -> None:
    ours = signers["ours"]
    signature = ours.sign(bundle, tmp_path / "b.sig", armour=armoured)
    keys = keyring(tmp_path, signers["foreign"], ours, armour=form == "armoured")
    if form == "keybox":
        keys = str(ours.keybox())
    assert verify(tmp_path, keys, bundle, signature) == ours.fingerprint


@pytest.mark.usefixtures("program")
def test_a_foreign_key_is_named(tmp_path: Path, bundle: Path, signers: Dict[str, Signer]) -> None:
    signature = signers["foreign"].sign(bundle, tmp_path / "b.sig")
    keys = keyring(tmp_path, signers["ours"])
    with pytest.raises(OperatorError, match="not valid") as raised:
        verify(tmp_path, keys, bundle, signature)
    assert signers["foreign"].fingerprint[-16:] in raised.value.found
    assert "not in the keyring" in raised.value.found
    assert keys in raised.value.wanted
    for part in ("plugins, entry 1", str(bundle), str(signature)):
        assert part in raised.value.where


@pytest.mark.usefixtures("program")
def test_another_bundle(tmp_path: Path, bundle: Path, signers: Dict[str, Signer]) -> None:
    ours = signers["ours"]
    other = make_bundle(tmp_path / "other.tar.gz", "com.example.plugin", "1.2.1")
    signature = ours.sign(other, tmp_path / "b.sig")
    with pytest.raises(OperatorError, match="not valid") as raised:
        verify(tmp_path, keyring(tmp_path, ours), bundle, signature)
    assert raised.value.found.startswith(f"a signature by key {ours.fingerprint[-16:]} over other content")


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("content", [b"no signature", b"\x88", b"-----BEGIN PGP SIGNATURE-----\n\n"])
def test_no_signature(tmp_path: Path, bundle: Path, signers: Dict[str, Signer], content: bytes) -> None:
    signature = tmp_path / "b.sig"
    signature.write_bytes(content)
    with pytest.raises(OperatorError, match="not valid") as raised:
        verify(tmp_path, keyring(tmp_path, signers["ours"]), bundle, signature)
    assert raised.value.found


@pytest.mark.usefixtures("program")
def test_an_expired_key(tmp_path: Path, bundle: Path, signers: Dict[str, Signer]) -> None:
    expired = signers["expired"]
    signature = expired.sign(bundle, tmp_path / "b.sig", options=["--faked-system-time=20200601T000000"])
    with pytest.raises(OperatorError, match="not valid") as raised:
        verify(tmp_path, keyring(tmp_path, expired), bundle, signature)
    assert f"expired key {expired.fingerprint[-16:]}" in raised.value.found


@pytest.mark.usefixtures("program")
def test_a_revoked_key(tmp_path: Path, bundle: Path, signers: Dict[str, Signer]) -> None:
    revoked = signers["revoked"]
    signature = tmp_path / "b.sig"
    if not (revoked.home / "signature").exists():
        other = tmp_path / "same.tar.gz"
        shutil.copy(bundle, other)
        revoked.sign(other, revoked.home / "signature")
        revoked.revoke()
    shutil.copy(revoked.home / "signature", signature)
    with pytest.raises(OperatorError, match="not valid") as raised:
        verify(tmp_path, keyring(tmp_path, revoked), bundle, signature)
    assert revoked.fingerprint[-16:] in raised.value.found


def test_without_gpg(tmp_path: Path, bundle: Path, signers: Dict[str, Signer], monkeypatch: pytest.MonkeyPatch) -> None:
    signature = signers["ours"].sign(bundle, tmp_path / "b.sig")
    keys = keyring(tmp_path, signers["ours"])
    monkeypatch.setattr(signature_module.shutil, "which", lambda name: None)
    with pytest.raises(OperatorError, match="neither gpgv nor gpg"):
        verify(tmp_path, keys, bundle, signature)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PGP SIGNATURE-----", b"no keys"])
def test_no_keyring(tmp_path: Path, bundle: Path, signers: Dict[str, Signer], content: object) -> None:
    signature = signers["ours"].sign(bundle, tmp_path / "b.sig")
    keys = tmp_path / "keyring"
    if isinstance(content, bytes):
        keys.write_bytes(content)
    with pytest.raises(OperatorError) as raised:
        verify(tmp_path, str(keys), bundle, signature)
    assert str(keys) in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"x" * 70_000])
def test_no_file_of_a_signature(tmp_path: Path, bundle: Path, signers: Dict[str, Signer], content: object) -> None:
    signature = tmp_path / "b.sig"
    if isinstance(content, bytes):
        signature.write_bytes(content)
    with pytest.raises(OperatorError, match="signature") as raised:
        verify(tmp_path, keyring(tmp_path, signers["ours"]), bundle, signature)
    assert raised.value.where == str(signature)


def test_what_was_verified_is_not_verified_again_until_something_changes(
    tmp_path: Path, bundle: Path, signers: Dict[str, Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "_TICK", 0)
    os.utime(bundle)
    signature = signers["ours"].sign(bundle, tmp_path / "b.sig")
    keys = keyring(tmp_path, signers["ours"])
    assert verify(tmp_path, keys, bundle, signature) == signers["ours"].fingerprint
    with monkeypatch.context() as none:
        none.setattr(signature_module, "_run", lambda *arguments: pytest.fail("verified again"))
        assert verify(tmp_path, keys, bundle, signature) == signers["ours"].fingerprint
    keyring(tmp_path, signers["foreign"])
    with pytest.raises(OperatorError, match="not in the keyring"):
        verify(tmp_path, keys, bundle, signature)
    keyring(tmp_path, signers["ours"])
    signers["foreign"].sign(bundle, signature)
    with pytest.raises(OperatorError, match="not in the keyring"):
        verify(tmp_path, keys, bundle, signature)


def test_a_keyring_of_many_beginnings_takes_linear_time() -> None:
    data = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n" * 200_000
    started = time.process_time()
    with pytest.raises(OperatorError, match="holds no public keys"):
        dearmoured(data, "keyring")
    assert time.process_time() - started < 2


def test_a_keyring_of_too_large_a_size_is_not_read(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "keyring"
    path.touch()
    os.truncate(path, 4 * 1024**4)
    signature = tmp_path / "b.sig"
    signature.write_bytes(b"x")
    facts = BundleFacts(str(tmp_path / "facts.json"))
    facts.of(str(bundle))
    with pytest.raises(OperatorError, match="keyring is too large"):
        Verifier(str(path), facts).verify(str(bundle), str(signature), "here")
