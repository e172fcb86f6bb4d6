# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacking a plugin bundle: a gzip-compressed tar with one top-level directory, or the plugin at its root."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from typing import BinaryIO, Callable, Tuple

from .gofs import GoError, mkdir_all, real_directories, write_file
from .manifest import Manifest, find_manifest, id_is_valid
from .versions import Traits

_DIRECTORY_MODE = 0o744


class ExtractError(GoError):
    """Not a readable archive, or one with members that the version refuses."""


class ManifestError(GoError):
    """No manifest, or one that does not parse."""


class InvalidIdError(GoError):
    """The manifest's id breaks the version's rules."""


def extract(bundle: BinaryIO, destination: str, traits: Traits, warn: Callable[..., None]) -> None:
    """Unpack with the server's modes: directories 0744, files as packed, both masked by umask."""
    try:
        with gzip.GzipFile(fileobj=bundle, mode="rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                _extract_member(archive, member, destination, traits, warn)
            if archive.pax_headers and traits.refuses_special_members:
                raise ExtractError("ExtractTarGz: unknown type: 103 in pax_global_header")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ExtractError("gzip: invalid header" if isinstance(error, gzip.BadGzipFile) else str(error)) from error


def _extract_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, destination: str, traits: Traits, warn: Callable[..., None]
) -> None:
    path = os.path.normpath(os.path.join(destination, member.name.lstrip("/")))
    if path != destination and not path.startswith(destination + "/"):
        raise ExtractError("path attempts to traverse upwards")
    if member.isdir():
        mkdir_all(path, _DIRECTORY_MODE)
    elif member.isreg():
        mkdir_all(os.path.dirname(path), _DIRECTORY_MODE)
        content = archive.extractfile(member)
        write_file(path, content.read() if content else b"", member.mode)
    elif traits.refuses_special_members:
        raise ExtractError(f"ExtractTarGz: unknown type: {ord(member.type)} in {member.name}")
    else:
        warn(
            "skipping unsupported header type on extracting tar file",
            header_type=member.type.decode("latin-1"),
            header_name=member.name,
        )


def open_bundle(bundle: BinaryIO, temporary: str, traits: Traits, warn: Callable[..., None]) -> Tuple[Manifest, str]:
    """Unpack into an empty directory; return the manifest and the directory that holds the plugin."""
    extract(bundle, temporary, traits, warn)
    directory = temporary
    top = os.listdir(temporary)
    if len(top) == 1 and top == real_directories(temporary):
        directory = os.path.join(temporary, top[0])
    manifest, _path = find_manifest(directory, traits)
    if manifest is None:
        raise ManifestError("Unable to find manifest for extracted plugin")
    if not id_is_valid(manifest["id"], traits):
        raise InvalidIdError("invalid plugin id")
    return manifest, directory
