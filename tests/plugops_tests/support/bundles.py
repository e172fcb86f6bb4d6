# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin bundles for tests: small, deterministic, and loadable by servers of every era (4.4 to 11).

The same arguments give the same bytes, so a test may compare sha256 sums. The web part works on real servers; the
server part is a shell script that prints a go-plugin handshake and waits: enough for the stand-in in tests/standin.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

FIXED_MTIME = 1_600_000_000
SERVER_EXECUTABLE = "server/dist/plugin-linux-amd64"
LAYOUTS = ("directory", "root", "dot", "dot-directory")

# The process lives as long as its standard input, so that it never outlives the server that started it.
SERVER_SCRIPT = b"""#!/bin/sh
echo "1|1|unix|${TMPDIR:-/tmp}/plugin-$$|netrpc"
exec cat >/dev/null
"""

_PLAIN_YAML = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*\Z")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def make_bundle(
    dest: Path,
    plugin_id: str,
    version: str,
    *,
    webapp: bool = True,
    server: bool = False,
    manifest_name: str = "plugin.json",
    layout: str = "directory",
    files: Optional[Mapping[str, bytes]] = None,
    file_count: int = 0,
    executable_mode: int = 0o755,
    min_server_version: Optional[str] = None,
    extra_manifest: Optional[Mapping[str, Any]] = None,
    mtime: int = FIXED_MTIME,
) -> Path:
    """Write a bundle and return its path.

    dest: the file to write, or an existing directory (then `<dest>/<plugin_id>-<version>.tar.gz`).
    manifest_name: plugin.json, plugin.yml or plugin.yaml; the YAML is block style, as people write it.
    layout: "directory" (one top-level directory named after the id), "root" (the plugin at the archive root),
        "dot" and "dot-directory" (the same two with "./" before every name, as `tar -C dir .` makes them).
    files: more members (path inside the plugin -> content), mode 0644; a name used already is replaced.
    file_count: how many filler files to add, for tests about size.
    executable_mode: mode of the server executable.
    extra_manifest: top-level manifest keys to set; a value of None removes the key.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r} is none of {', '.join(LAYOUTS)}")
    manifest = make_manifest(
        plugin_id,
        version,
        webapp=webapp,
        server=server,
        min_server_version=min_server_version,
        extra_manifest=extra_manifest,
    )
    contents: Dict[str, bytes] = {manifest_name: encode_manifest(manifest, manifest_name)}
    modes: Dict[str, int] = {}
    if webapp:
        contents[f"webapp/{plugin_id}_bundle.js"] = f"/* {plugin_id} {version} */\n".encode()
    if server:
        contents[SERVER_EXECUTABLE] = SERVER_SCRIPT
        modes[SERVER_EXECUTABLE] = executable_mode
    for number in range(file_count):
        contents[f"assets/filler-{number:05d}.txt"] = f"{plugin_id} {version} filler {number}\n".encode()
    contents.update(files or {})

    path = dest / f"{plugin_id}-{version}.tar.gz" if dest.is_dir() else dest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_pack(contents, modes, _prefix(layout, plugin_id), mtime))
    return path


def make_manifest(
    plugin_id: str,
    version: str,
    *,
    webapp: bool = True,
    server: bool = False,
    min_server_version: Optional[str] = None,
    extra_manifest: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The manifest of a bundle; declares each part for the servers before and after 5.2."""
    manifest: Dict[str, Any] = {
        "id": plugin_id,
        "name": f"Test plugin {plugin_id}",
        "description": "Made for a test.",
        "version": version,
    }
    if min_server_version is not None:
        manifest["min_server_version"] = min_server_version
    if server:
        manifest["server"] = {"executables": {"linux-amd64": SERVER_EXECUTABLE}, "executable": SERVER_EXECUTABLE}
        manifest["backend"] = {"executable": SERVER_EXECUTABLE}
    if webapp:
        manifest["webapp"] = {"bundle_path": f"webapp/{plugin_id}_bundle.js"}
    for key, value in (extra_manifest or {}).items():
        if value is None:
            manifest.pop(key, None)
        else:
            manifest[key] = value
    return manifest


def encode_manifest(manifest: Mapping[str, Any], manifest_name: str) -> bytes:
    """The manifest as JSON or YAML, by the file's name."""
    if manifest_name.endswith((".yml", ".yaml")):
        return ("\n".join(_yaml_lines(manifest, 0)) + "\n").encode()
    return (json.dumps(manifest, indent=2) + "\n").encode()


def _yaml_lines(value: Mapping[str, Any], indent: int) -> List[str]:
    lines: List[str] = []
    margin = "  " * indent
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(f"{margin}{_yaml_scalar(key)}:")
            lines.extend(_yaml_lines(item, indent + 1))
        elif isinstance(item, list) and item and all(isinstance(entry, (str, int, float)) for entry in item):
            lines.append(f"{margin}{_yaml_scalar(key)}:")
            lines.extend(f"{margin}  - {_yaml_scalar(entry)}" for entry in item)
        else:
            lines.append(f"{margin}{_yaml_scalar(key)}: {_yaml_scalar(item)}")
    return lines


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN_YAML.match(value) and value.lower() not in _YAML_WORDS:
        return value
    return json.dumps(value)  # JSON is YAML; it quotes whatever could be read as something else


def _prefix(layout: str, plugin_id: str) -> str:
    return {"directory": f"{plugin_id}/", "root": "", "dot": "./", "dot-directory": f"./{plugin_id}/"}[layout]


def _pack(contents: Mapping[str, bytes], modes: Mapping[str, int], prefix: str, mtime: int) -> bytes:
    directories = {name[: index + 1] for name in contents for index, char in enumerate(name) if char == "/"}
    members = {prefix + name for name in (*contents, *directories)}
    members.update(prefix[: index + 1] for index, char in enumerate(prefix) if char == "/")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in sorted(members):
            entry = tarfile.TarInfo(member)
            entry.mtime = mtime
            if member.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            name = member[len(prefix) :]
            entry.mode = modes.get(name, 0o644)
            entry.size = len(contents[name])
            archive.addfile(entry, io.BytesIO(contents[name]))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()
