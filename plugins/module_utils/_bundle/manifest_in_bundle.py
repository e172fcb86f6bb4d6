# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a packed bundle, without reading more of it than needed."""

from __future__ import annotations

from typing import Optional

from .._core.errors import OperatorError
from .manifest import MANIFEST_LIMIT, MANIFEST_NAMES, Manifest, parse_manifest

# What may be before the manifest. The largest published plugins have some 2 000 files and 600 MB.
_FILES, _UNPACKED = 5_000, 1024 * 1024 * 1024


def manifest_of(real: str) -> Optional[Manifest]:
    """The manifest of a bundle, the first in it; None if none can be read.

    :param real: real path of the bundle
    """
    # Where there is no bundle to look into, a plan must be quick.
    from .._formats.tar_reader import Archive, Limits
    from .bundle import opened_bundle

    try:
        with opened_bundle(real) as source:
            # What a server would refuse besides is told when the bundle is unpacked.
            archive = Archive(source, Limits(files=_FILES, unpacked_bytes=_UNPACKED), real, skips_links=True)
            for member, content in archive.members():
                directory, _separator, name = member.path.rpartition("/")
                if name not in MANIFEST_NAMES or "/" in directory or member.is_directory:
                    continue
                return parse_manifest(name, b"".join(content)) if member.size <= MANIFEST_LIMIT else None
    except OperatorError:
        pass
    return None
