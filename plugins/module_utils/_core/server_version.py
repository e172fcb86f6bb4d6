# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of a Mattermost server, as an operator writes it and as the server reports it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import OperatorError

# "5.36", "v5.36.1", "10.0.0-rc1", and the X-Version-Id header of every API answer:
# <version>.<build number>.<config hash>.<licensed>, e.g. "6.7.2..a49a0fd3.false".
_RELEASE = r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?"
_WRITTEN = re.compile(_RELEASE + r"(?:[-+][0-9A-Za-z.+-]+)?", re.ASCII)
_HEADER = re.compile(_RELEASE + r"\..*\.(?:true|false)", re.ASCII)


@dataclass(frozen=True, order=True)
class ServerVersion:
    """Ordered as releases are; a build or pre-release suffix does not count."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_server_version(text: str) -> ServerVersion:
    """The version in ``5.36``, ``5.36.1``, ``v5.36.1`` or in a whole ``X-Version-Id`` header.

    :raises OperatorError: the text is none of these
    """
    match = _WRITTEN.fullmatch(text.strip()) or _HEADER.fullmatch(text.strip())
    if match is None:
        raise OperatorError(
            "this is not a Mattermost server version",
            found=repr(text[:100]),
            wanted="major.minor or major.minor.patch",
            remedy='write it as a quoted text, e.g. server_version: "5.36.1"',
        )
    return ServerVersion(int(match.group(1)), int(match.group(2)), int(match.group(3) or 0))
