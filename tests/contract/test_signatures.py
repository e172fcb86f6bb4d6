# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that carry a detached OpenPGP signature, and servers that insist on one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from plugops_tests.servers.deployment import Deployment
from plugops_tests.support.bundles import make_bundle

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg, to sign bundles"),
]

STATE_ON = {"Enable": True}


class Signer:
    """A key of the tests' own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._gpg("--passphrase", "", "--quick-gen-key", "contract@example.com", "rsa2048", "sign")

    def export(self, path: Path) -> Path:
        self._gpg("--armor", "--output", str(path), "--export", "contract@example.com")
        return path

    def sign(self, bundle: Path, armour: bool = False) -> Path:
        signature = Path(f"{bundle}.sig")
        armor = ["--armor"] if armour else []
        self._gpg("--passphrase", "", *armor, "--output", str(signature), "--detach-sign", str(bundle))
        return signature

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self._home, ignore_errors=True)

    def _gpg(self, *arguments: str) -> None:
        base = ["gpg", "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--homedir", str(self._home)]
        subprocess.run([*base, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    made = Signer(Path(tempfile.mkdtemp(prefix="gpg-")))  # short: an agent's socket lies below
    try:
        yield made
    finally:
        made.close()


@pytest.mark.since(5, 18)
def test_store_under_the_signature_rule(deployment: Deployment, signer: Signer) -> None:
    """Unsigned bundles vanish while the rule is on, and come back."""
    deployment.own(signer.export(deployment.config_path.parent / "contract.asc"))
    bundles = {name: make_bundle(deployment.bundles, name, "1.0.0") for name in ("sig.ned", "un.signed", "wrong.sig")}
    deployment.put_into_store(bundles["sig.ned"], "sig.ned", signer.sign(bundles["sig.ned"]))
    deployment.put_into_store(bundles["un.signed"], "un.signed")
    deployment.put_into_store(bundles["wrong.sig"], "wrong.sig", signer.sign(bundles["un.signed"]))
    states = dict.fromkeys(bundles, STATE_ON)
    deployment.edit_plugin_settings(
        RequirePluginSignature=True, SignaturePublicKeyFiles=["contract.asc"], PluginStates=states
    )
    with deployment.running() as server:
        server.wait_active("sig.ned")
        plugins = server.plugins()
        assert set(plugins["active"]) | set(plugins["inactive"]) == {"sig.ned"}
        assert server.wait_log("nable to verify plugin signature")
    deployment.edit_plugin_settings(RequirePluginSignature=False)
    with deployment.running() as server:
        for plugin_id in bundles:
            server.wait_active(plugin_id)


@pytest.mark.since(5, 18)
def test_an_upload_leaves_the_old_signature_in_the_store(deployment: Deployment, signer: Signer) -> None:
    """It no longer fits: the plugin vanishes when signatures are required later."""
    deployment.own(signer.export(deployment.config_path.parent / "contract.asc"))
    old, new = (make_bundle(deployment.bundles, "sig.ned", version) for version in ("1.0.0", "1.1.0"))
    deployment.put_into_store(old, "sig.ned", signer.sign(old))
    with deployment.running() as server:
        assert server.upload(new, force=True).status == 201
    assert (deployment.store / "sig.ned.tar.gz").read_bytes() == new.read_bytes()
    assert (deployment.store / "sig.ned.tar.gz.sig").exists()
    deployment.edit_plugin_settings(RequirePluginSignature=True, SignaturePublicKeyFiles=["contract.asc"])
    with deployment.running() as server:
        assert server.plugins() == {"active": {}, "inactive": {}}


@pytest.mark.since(10, 11)
@pytest.mark.parametrize("armour", [False, True])
def test_prepackaged_with_signature(deployment: Deployment, signer: Signer, armour: bool) -> None:
    deployment.own(signer.export(deployment.config_path.parent / "contract.asc"))
    bundle = make_bundle(deployment.bundles, "pre.packed", "1.0.0")
    deployment.prepackage(bundle, signer.sign(bundle, armour))
    deployment.edit_plugin_settings(SignaturePublicKeyFiles=["contract.asc"], PluginStates={"pre.packed": STATE_ON})
    with deployment.running() as server:
        server.wait_active("pre.packed")


@pytest.mark.since(10, 11)
def test_prepackaged_with_asc_only(deployment: Deployment, signer: Signer) -> None:
    deployment.own(signer.export(deployment.config_path.parent / "contract.asc"))
    bundle = make_bundle(deployment.bundles, "pre.packed", "1.0.0")
    signature = signer.sign(bundle, armour=True)
    deployment.prepackage(bundle, signature.rename(signature.with_suffix(".asc")))
    deployment.edit_plugin_settings(SignaturePublicKeyFiles=["contract.asc"], PluginStates={"pre.packed": STATE_ON})
    with deployment.running() as server:
        server.wait_log("Failed to install prepackaged plugin", "missing required signature file")
