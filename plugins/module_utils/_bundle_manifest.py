# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""What a bundle says of itself, without reading more of it than needed."""

from __future__ import annotations

import itertools
from typing import Optional

from ._errors import OperatorError
from ._manifest import MANIFEST_NAMES, Manifest, parse_manifest

_LOOKED_AT = 2000  # entries
_LARGEST_MANIFEST = 1024 * 1024


def manifest_of(real: str) -> Optional[Manifest]:
    """The manifest of a bundle; None where there is none to be read.

    :param real: real path of the bundle
    """
    import tarfile  # where there is no bundle to look into, a plan shall be quick
    import zlib

    try:
        with tarfile.open(real, "r|gz") as archive:
            for member in itertools.islice(archive, _LOOKED_AT):
                parts = [part for part in member.name.split("/") if part not in ("", ".")]
                if len(parts) > 2 or not parts or parts[-1] not in MANIFEST_NAMES or not member.isreg():
                    continue
                source = archive.extractfile(member)
                if source is not None:
                    return parse_manifest(parts[-1], source.read(_LARGEST_MANIFEST))
    except (OSError, EOFError, tarfile.TarError, zlib.error, OperatorError):
        pass
    return None
