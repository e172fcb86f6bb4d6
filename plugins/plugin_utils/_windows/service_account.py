# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account that a Windows service runs as, by its security identifier: names differ by the host's language."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Optional, Tuple

_EVERYONE, _AUTHENTICATED, _SERVICE = "S-1-1-0", "S-1-5-11", "S-1-5-6"
_ADMINISTRATORS, _USERS, _ALL_SERVICES = "S-1-5-32-544", "S-1-5-32-545", "S-1-5-80-0"
_SYSTEM, _LOCAL_SERVICE, _NETWORK_SERVICE = "S-1-5-18", "S-1-5-19", "S-1-5-20"
_VIRTUAL = "NT SERVICE\\"
_KNOWN = {
    "": _SYSTEM,
    "LOCALSYSTEM": _SYSTEM,
    ".\\LOCALSYSTEM": _SYSTEM,
    "NTAUTHORITY\\SYSTEM": _SYSTEM,
    "NTAUTHORITY\\LOCALSYSTEM": _SYSTEM,
    "NTAUTHORITY\\LOCALSERVICE": _LOCAL_SERVICE,
    "NTAUTHORITY\\NETWORKSERVICE": _NETWORK_SERVICE,
}


@dataclass(frozen=True)
class ServiceAccount:
    """The account of a service.

    :param name: as the service has it
    :param sid: S-1-..., or a short form of SDDL that only the host can tell the meaning of, such as LA
    """

    name: str
    sid: str

    @property
    def identities(self) -> Tuple[str, ...]:
        """The account and the groups that it certainly is in; only its own logon would show others."""
        groups = [_EVERYONE, _AUTHENTICATED]
        if self.sid == _SYSTEM:
            groups.append(_ADMINISTRATORS)
        else:
            groups.append(_SERVICE)
        if self.sid in (_LOCAL_SERVICE, _NETWORK_SERVICE):
            groups.append(_USERS)
        if self.sid.startswith("S-1-5-80-"):
            groups += [_USERS, _ALL_SERVICES]
        return (self.sid, *groups)

    @property
    def grantee(self) -> str:
        """As icacls takes it."""
        return f"*{self.sid}" if self.sid.startswith("S-") else self.name


def known_sid(name: str) -> Optional[str]:
    """The identifier of an account that is the same on every host; None if only the host knows it."""
    if name.upper().startswith(_VIRTUAL):
        return service_sid(name[len(_VIRTUAL) :])
    return _KNOWN.get(name.upper().replace(" ", ""))


def service_sid(service: str) -> str:
    """The identifier of the virtual account NT SERVICE\\name, which Windows makes from the name."""
    parts = struct.unpack(
        "<5I", hashlib.sha1(service.upper().encode("utf-16-le", "surrogatepass"), usedforsecurity=False).digest()
    )
    return "-".join(["S-1-5-80", *map(str, parts)])
