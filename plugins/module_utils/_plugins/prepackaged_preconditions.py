# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preconditions of prepackaged bundles: the server would take them, and not keep another copy of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence, Tuple

from .._core.errors import OperatorError
from .._core.plugin_version import is_newer
from .._server import features
from .._startup.prepackaged_rules import AUTOMATIC, FOLDER, Rules
from .preconditions import refuse_unverifiable_signature
from .wanted import WantedPlugin

if TYPE_CHECKING:
    from .._startup.prepackaged import PrepackagedBundle
    from .observed import PluginsFound


def overtaking(plugin: WantedPlugin, bundles: Sequence[PrepackagedBundle], rules: Rules) -> Optional[PrepackagedBundle]:
    """The bundle that the server would install at its next start over the wanted one; None if it would not.

    :param bundles: of the plugin
    """
    others = [bundle for bundle in bundles if not bundle.sha256 or bundle.sha256 != plugin.sha256]
    if not rules.takes(plugin.enabled):
        return None
    return next((bundle for bundle in others if rules.always or is_newer(bundle.version, plugin.version)), None)


def refuse_to_bring_along(plugin: WantedPlugin, found: PluginsFound) -> None:
    """A plugin without a bundle of its own that the server does not have and will not install.

    :raises OperatorError: it is one
    """
    if plugin.id in found.directory.plugins:
        return
    rules = found.rules
    bundles = found.prepackaged.get(plugin.id, [])
    if rules is None or not bundles:
        raise OperatorError(
            f"no bundle of {plugin.id} is specified, and the server does not bring it along",
            found=f"prepackaged: {', '.join(sorted(found.prepackaged)) or 'none that can be seen'}",
            wanted="src or url; else a bundle in bundle_directory, an entry in lock, or version and sha256 of a bundle "
            "in the nodes' stores",
            remedy="correct the id, or specify where the bundle is",
        )
    if plugin.enabled:
        _refuse_switched_off(plugin, rules)
    if features.PREPACKAGED_ONLY_SIGNED.in_version(rules.version) and bundles[0].signature is None:
        raise _unsigned(plugin, bundles[0].path, rules)


def refuse_to_prepackage(plugin: WantedPlugin, found: PluginsFound, rules: Rules) -> None:
    """A bundle that the server would not take from the folder, now or at any start.

    :raises OperatorError: it is one
    """
    if rules.signed:
        if not plugin.signature:
            raise _unsigned(plugin, f"{FOLDER}/{plugin.id}.tar.gz", rules)
        refuse_unverifiable_signature(plugin, FOLDER)
    if plugin.enabled and not rules.always:
        _refuse_switched_off(plugin, rules)
        kept, where = _kept(plugin, found, rules)
        if kept is not None and not is_newer(plugin.version, kept):
            raise OperatorError(
                f"the server would keep the {plugin.id} that it has, and not take the prepackaged one",
                where=where,
                found=f"version {kept or '(none)'}",
                wanted=f"one older than {plugin.version}",
                remedy="use another strategy for this plugin (upload or filestore), or remove it before (state: "
                "absent)",
            )


def _refuse_switched_off(plugin: WantedPlugin, rules: Rules) -> None:
    if not rules.automatic and not rules.always:
        raise OperatorError(
            f"the server would not install the prepackaged plugin {plugin.id}",
            found=f"PluginSettings.{AUTOMATIC} false",
            wanted="true",
            remedy="set automatic_prepackaged_plugins to true with mattermost_plugin_settings before, or use another "
            "strategy for this plugin",
        )


def _unsigned(plugin: WantedPlugin, where: str, rules: Rules) -> OperatorError:
    why = (
        f"server version {rules.version}"
        if features.PREPACKAGED_ONLY_SIGNED.in_version(rules.version)
        else "RequirePluginSignature on"
    )
    return OperatorError(
        f"the prepackaged bundle of {plugin.id} must be signed",
        where=where,
        found=f"no signature; {why}",
        wanted="a detached OpenPGP signature (.sig) by an RSA, DSA or ECDSA (NIST) key",
        remedy="put the publisher's signature beside the bundle, or specify where it is (signature), and name its "
        "public key in SignaturePublicKeyFiles",
    )


def _kept(plugin: WantedPlugin, found: PluginsFound, rules: Rules) -> Tuple[Optional[str], str]:
    """Version of another copy that the server keeps at a start (None: there is none), and its path."""
    stored, installed = found.filestore.get(plugin.id), found.directory.plugins.get(plugin.id)
    if stored is not None:
        return (None if stored.sha256 == plugin.sha256 else stored.version), stored.path
    if installed is None or installed.tree.digest == found.tree_of(plugin):
        return None, ""
    unmanaged = not installed.managed and features.MANAGED_MARKER.in_version(rules.version)
    came_along = installed.version in {bundle.version for bundle in found.prepackaged.get(plugin.id, [])}
    if unmanaged or (found.situation.filestore_blocker and not came_along):
        return installed.version, installed.path
    return None, ""
