# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a bundle takes to a running plugin, by server version and by what is reachable, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._server import features

UNPACK = "unpack"
UPLOAD = "upload"
FILESTORE = "filestore"
PREPACKAGED = "prepackaged"
AUTO = "auto"
STRATEGIES = (AUTO, UPLOAD, FILESTORE, UNPACK, PREPACKAGED)

_NAME_THE_VERSION = "set server_version, or start the server"
_MAKE_REACHABLE = (
    "start the server and switch ServiceSettings.EnableLocalMode on, so that the bundle can be uploaded through its "
    "local socket"
)


@dataclass(frozen=True)
class Strategy:
    """The chosen way.

    :param name: ``upload``, ``filestore``, ``unpack`` or ``prepackaged``
    :param reason: why this one, in words for the operator
    :param warning: what the operator must know about it; empty if nothing
    """

    name: str
    reason: str
    warning: str = ""


def choose(
    asked: str,
    version: Optional[ServerVersion],
    reachable: bool,
    *,
    uploads: bool = True,
    filestore: Optional[str] = None,
    managed: bool = False,
) -> Strategy:
    """The way for one node.

    :param asked: ``auto`` (which is never ``prepackaged``) or the name of a way
    :param version: of the server, None if not known
    :param reachable: the running server answers on its local-mode socket or its REST API
    :param uploads: it takes uploads
    :param filestore: why bundles cannot be put into the server's filestore; empty if they can
    :param managed: the server installs one of the plugins from its filestore, over whatever is unpacked
    :raises OperatorError: the way asked for cannot be gone, or none is left
    """
    if asked == UPLOAD or (asked == AUTO and reachable and uploads):
        return _upload(asked, version, reachable)
    if asked == FILESTORE:
        return _filestore(version, "local driver only" if filestore is None else filestore)
    if asked == PREPACKAGED:
        return _prepackaged(version)
    no_unpacking = managed or reachable or features.UNPACKED_UNSUPPORTED.in_version(version)
    if (
        asked == AUTO
        and filestore == ""
        and no_unpacking
        and version is not None
        and features.FILESTORE.in_version(version)
    ):
        why = "the running server takes no uploads" if reachable else "no running server answers"
        return Strategy(FILESTORE, f"{why}; {version} installs from its filestore at its next start")
    return _unpack(asked, version)


def _filestore(version: Optional[ServerVersion], problem: str) -> Strategy:
    _refuse_before(
        features.FILESTORE, version, "strategy filestore is for servers that install plugins from their filestore"
    )
    if problem:
        raise OperatorError(
            "strategy filestore needs a filestore on this host's disk",
            found=problem,
            wanted="FileSettings.DriverName local",
            remedy="let the server run and use strategy: upload",
        )
    return Strategy(FILESTORE, "asked for")


def _prepackaged(version: Optional[ServerVersion]) -> Strategy:
    _refuse_before(
        features.PREPACKAGED, version, "strategy prepackaged is for servers that bring plugins along in a folder"
    )
    return Strategy(PREPACKAGED, "asked for")


def _refuse_before(feature: features.Feature, version: Optional[ServerVersion], problem: str) -> None:
    if version is None:
        raise _version_not_known()
    if not feature.in_version(version):
        raise OperatorError(
            problem,
            found=f"server version {version}",
            wanted=f"at least {feature.since}",
            remedy="use strategy: auto or unpack",
        )


def _upload(asked: str, version: Optional[ServerVersion], reachable: bool) -> Strategy:
    if not reachable:
        raise OperatorError(
            "strategy upload needs a running server that answers on its local-mode socket or its REST API",
            found="no answer",
            remedy=f"{_MAKE_REACHABLE}, or give api_url and an account",
        )
    reason = "asked for" if asked == UPLOAD else f"the running server ({version}) answers and takes uploads"
    return Strategy(UPLOAD, reason)


def _unpack(asked: str, version: Optional[ServerVersion]) -> Strategy:
    if version is None:
        raise _version_not_known()
    if features.UNPACKED_DELETED.in_version(version):
        raise OperatorError(
            "strategy unpack is refused: this server deletes at its next start whatever it has not installed itself",
            found=f"server version {version}",
            wanted=f"below {features.UNPACKED_DELETED.since}",
            remedy=_MAKE_REACHABLE,
        )
    if features.UNPACKED_UNSUPPORTED.in_version(version):
        if asked == AUTO:
            raise OperatorError(
                "the server does not answer on a local-mode socket, and unpacking is not supported by this version",
                found=f"server version {version}",
                remedy=f"{_MAKE_REACHABLE}; or ask for strategy: unpack in spite of it",
            )
        return Strategy(
            UNPACK,
            "asked for",
            f"Mattermost {version} does not support unpacked plugins (since 10.5); 11.0 deletes them",
        )
    if asked == UNPACK:
        return Strategy(UNPACK, "asked for")
    return Strategy(UNPACK, f"no running server answers on a local-mode socket; {version} runs unpacked plugins")


def _version_not_known() -> OperatorError:
    return OperatorError(
        "the way for the bundles depends on the server's version, and no server answers",
        found="server_version not set",
        remedy=_NAME_THE_VERSION,
    )
