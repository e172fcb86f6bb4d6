# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that vanish when a server begins to insist on signatures: it takes what it stores only with one."""

from __future__ import annotations

from typing import List, Sequence

from .._core.errors import OperatorError
from .._formats.openpgp import unverifiable_by_servers
from .._node.node import Node
from .filestore import Filestore

KEY = "RequirePluginSignature"


def stored_unsigned(node: Node) -> List[str]:
    """Ids of the bundles in the server's filestore that have no signature which servers verify.

    Where the filestore is not on this host, nothing of it is known.
    """
    found = Filestore(node, None).bundles(())
    return sorted(
        plugin_id
        for plugin_id, bundle in found.items()
        if bundle.signature is None or unverifiable_by_servers(bundle.signature)
    )


def refuse_to_lose(unsigned: Sequence[str], follow: Sequence[str]) -> None:
    """Refuse a change after which the server would drop plugins.

    :param unsigned: as :func:`stored_unsigned`
    :param follow: ids of the plugins that get their signature after the settings, or go
    :raises OperatorError: others would vanish
    """
    lost = sorted(set(unsigned) - {plugin_id.lower() for plugin_id in follow})
    if lost:
        raise OperatorError(
            f"with {KEY} the server would drop these plugins at its next start: {', '.join(lost)}",
            where="the server's filestore",
            found="no signature beside their bundles that it can verify",
            wanted="a detached OpenPGP signature of each, by an RSA, DSA or ECDSA (NIST) key",
            remedy="deliver their signatures in the same run (signature in the list of plugins), remove them "
            "(state: absent), or leave RequirePluginSignature off",
        )
