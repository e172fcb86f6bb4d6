# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plugin as the operator wants it, with what the controller read in its bundle."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .._core.errors import OperatorError


@dataclass(frozen=True)
class WantedPlugin:
    """A plugin that must be there, or must be gone.

    :param id: manifest id, lower case
    :param written_id: as the manifest spells it; servers before 5.2 do not fold case; empty: as ``id``
    :param version: as in the manifest; empty if the manifest has none
    :param sha256: of the bundle, 64 hex digits
    :param size: of the bundle, bytes
    :param tree: digest of the files that the bundle unpacks to; empty if only the node's store has the bundle
    :param min_server_version: as in the manifest; the server checks it (from 5.6) when it starts the plugin
    :param executables: server binaries that the manifest names, relative
    :param unexecutable: those of them that have no exec bit in the bundle; no server grants it
    :param url: where the node itself gets the bundle; empty if it is sent
    :param strategy: for this bundle alone; empty: as for the others
    :param signature: detached OpenPGP signature of the bundle (the ``.sig`` file) in base64; empty if there is none
    :param may_idle: it need not run although it is enabled: it did not run in the state that is restored
    """

    id: str
    present: bool = True
    enabled: bool = True
    written_id: str = ""
    version: str = ""
    sha256: str = ""
    size: int = 0
    tree: str = ""
    min_server_version: str = ""
    executables: Tuple[str, ...] = ()
    unexecutable: Tuple[str, ...] = ()
    signature: str = ""
    url: str = ""
    strategy: str = ""
    may_idle: bool = False

    @property
    def must_run(self) -> bool:
        return self.present and self.enabled and not self.may_idle

    @property
    def detached_signature(self) -> Optional[bytes]:
        """The signature that was delivered with the bundle; None if there was none."""
        return base64.b64decode(self.signature) if self.signature else None

    @property
    def from_server(self) -> bool:
        """Whether it has no bundle of its own: it is one that the server brings along."""
        return self.present and not self.sha256

    def to_dict(self) -> Dict[str, Any]:
        """As the controller sends it to the node."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> WantedPlugin:
        fields = dict(value)
        for name in ("executables", "unexecutable"):
            fields[name] = tuple(fields.get(name) or ())
        return cls(**fields)


def wanted_of(params: Mapping[str, Any]) -> List[WantedPlugin]:
    """The plugins that the action plugin read in the bundles, from a module's ``bundles``.

    :raises OperatorError: there is a list in ``plugins`` that no action plugin has read
    """
    if params["bundles"] is None and any(params.get(option) for option in ("plugins", "bundle_directory", "lock")):
        raise OperatorError(
            "the list of plugins was not read on the controller, where the bundles lie",
            where="the module was called without its action plugin",
            remedy="install the collection and call the module by its full name, plugops.mattermost.<module>",
        )
    return [WantedPlugin.from_dict(bundle) for bundle in params["bundles"] or []]
