# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin manifests: plugin.yml, then plugin.yaml, then plugin.json; the first that exists counts."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .gofs import GoError, clean_join, read_file
from .versions import Traits, Version

NAMES = ("plugin.yml", "plugin.yaml", "plugin.json")
_ID_PATTERN = re.compile(r"[a-zA-Z0-9\-_.]+\Z")
_YAML_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^:#\s"'\[{][^:#]*?)\s*:(?:\s+(.*))?\Z""")

Manifest = Dict[str, Any]


def find_manifest(directory: str, traits: Traits) -> Tuple[Optional[Manifest], Optional[str]]:
    """The manifest and its path. (None, path) if it does not parse, (None, None) if there is none.

    A directory that cannot be searched has no manifest: the server sees no difference.
    """
    for name in NAMES:
        path = clean_join(directory, name)
        if os.path.exists(path):
            try:
                manifest = parse_manifest(read_file(path).decode("utf-8"), name)
            except (GoError, ValueError):
                return None, path
            if traits.lower_cases_ids:
                manifest["id"] = manifest["id"].lower()
            return manifest, path
    return None, None


def parse_manifest(text: str, name: str) -> Manifest:
    """Raises ValueError if it is not an object with a string id (which may be empty)."""
    manifest = json.loads(text) if name.endswith(".json") else parse_yaml(text)
    if not isinstance(manifest, dict):
        raise ValueError("the manifest is not an object")
    manifest.setdefault("id", "")
    if not isinstance(manifest["id"], str):
        raise ValueError("the id is not a string")
    for key in ("server", "backend", "webapp"):
        if not isinstance(manifest.get(key, {}), dict):
            raise ValueError(f"{key} is not an object")
    return manifest


def id_is_valid(plugin_id: str, traits: Traits) -> bool:
    """The id rules of the version; 4.4 had none, before 5.2 only the length counted."""
    if traits.version < (4, 5):
        return True
    if not traits.id_by_pattern:
        return len(plugin_id) <= 190 and (traits.version < (4, 10) or len(plugin_id) >= 3)
    return 3 <= len(plugin_id) <= 190 and _ID_PATTERN.match(plugin_id) is not None


def server_part(manifest: Mapping[str, Any], traits: Traits) -> Optional[Mapping[str, Any]]:
    """`server` or, as servers before 5.2 had it and those before 6.0 still understand it, `backend`."""
    if not traits.rpc_plugins:
        return manifest.get("backend")
    return manifest.get("server") or (manifest.get("backend") if traits.reads_backend else None)


def executable_of(manifest: Mapping[str, Any], traits: Traits) -> str:
    """The executable for this machine, "" if the manifest names none."""
    part = server_part(manifest, traits) or {}
    if not traits.rpc_plugins:
        return str(part.get("executable", ""))
    machine = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}.get(os.uname().machine, os.uname().machine)
    platform = f"linux-{machine}"
    chosen = ""
    if traits.any_platform_executables or machine == "amd64":
        chosen = (part.get("executables") or {}).get(platform, "")
    return str(chosen or part.get("executable", ""))


def strict_version(text: str) -> Version:
    """A strict X.Y.Z version. Raises ValueError."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise ValueError(f"Invalid Semantic Version {text!r}")
    return Version.parse(text)


def parse_yaml(text: str) -> Any:
    """The part of YAML that manifests use: nested block mappings and lists, flow values that are JSON."""
    lines = [(len(line) - len(line.lstrip(" ")), line.strip()) for line in text.splitlines()]
    lines = [(indent, line) for indent, line in lines if line and not line.startswith("#") and line != "---"]
    if not lines:
        return None
    value, rest = _yaml_block(lines, 0)
    if rest != len(lines):
        raise ValueError(f"yaml: bad indentation at {lines[rest][1]!r}")
    return value


def _yaml_block(lines: List[Tuple[int, str]], position: int) -> Tuple[Any, int]:
    """The block that begins at a line, and the position behind it."""
    is_list = lines[position][1].startswith("- ")
    return _yaml_list(lines, position) if is_list else _yaml_mapping(lines, position)


def _yaml_list(lines: List[Tuple[int, str]], position: int) -> Tuple[List[Any], int]:
    items: List[Any] = []
    indent = lines[position][0]
    while position < len(lines) and lines[position][0] == indent and lines[position][1].startswith("- "):
        text = lines[position][1][2:].strip()
        if _YAML_KEY.match(text):
            # A mapping that begins behind the dash: read it as if the dash were a blank.
            lines[position] = (indent + len(lines[position][1]) - len(text), text)
            item, position = _yaml_mapping(lines, position)
        else:
            item, position = _yaml_scalar(text), position + 1
        items.append(item)
    return items, position


def _yaml_mapping(lines: List[Tuple[int, str]], position: int) -> Tuple[Dict[str, Any], int]:
    mapping: Dict[str, Any] = {}
    indent = lines[position][0]
    while position < len(lines) and lines[position][0] == indent and not lines[position][1].startswith("- "):
        match = _YAML_KEY.match(lines[position][1])
        if match is None:
            raise ValueError(f"yaml: could not find expected ':' in {lines[position][1]!r}")
        key, inline = str(_yaml_scalar(match.group(1))), match.group(2)
        position += 1
        mapping[key] = _yaml_scalar(inline) if inline else None
        if inline or position == len(lines):
            continue
        next_indent, next_line = lines[position]
        if next_indent > indent or (next_indent == indent and next_line.startswith("- ")):
            mapping[key], position = _yaml_block(lines, position)
    return mapping, position


def _yaml_scalar(text: str) -> Any:
    if text[:1] in '"[{':
        return json.loads(text)
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    text = re.split(r"\s+#", text)[0]
    if text in ("true", "false", "null", "~"):
        return {"true": True, "false": False}.get(text)
    return text
