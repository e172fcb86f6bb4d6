# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs the stand-in server like a Mattermost release: `mattermost-<version>.tar.gz`, made anew byte for byte.

python tests/plugops_tests/standin/release.py VERSION DESTINATION_DIRECTORY
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import Dict, List

SERVER = Path(__file__).resolve().parent / "server"
TESTS = SERVER.parents[2]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from plugops_tests.standin.server.config_defaults import defaults, seeded_states
from plugops_tests.standin.server.config_store import encode
from plugops_tests.standin.server.versions import Traits, Version

# Versions on which the stand-in has been compared with what is known of real servers; others between them work too.
SUPPORTED = ("4.6.0", "5.13.0", "5.20.0", "5.36.1", "6.7.2", "9.10.0", "10.11.0", "11.6.0")
FIXED_TIME = 1_600_000_000
TOP = "mattermost"
# Leaves no bytecode behind: an install directory must look the same after a start as before it.
LAUNCHER = b"""#!/usr/bin/env python3
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "standin"))

from server.main import main

sys.exit(main())
"""


def build_release(version: str, dest_dir: Path) -> Path:
    """Write `mattermost-<version>.tar.gz` into dest_dir and return its path."""
    parsed = Version.parse(version)
    traits = Traits(parsed)
    files: Dict[str, bytes] = {
        f"bin/{traits.binary}": LAUNCHER,
        **{f"standin/server/{source.name}": source.read_bytes() for source in SERVER.glob("*.py")},
        "standin/server/VERSION": f"{version}\n".encode(),
        "client/root.html": b"<!doctype html><title>Mattermost</title>\n",
        "config/config.json": _default_config(parsed),
        "i18n/en.json": b"[]\n",
        "templates/email_footer.html": b"\n",
        "fonts/README.md": b"Fonts lie here.\n",
        "manifest.txt": f"mattermost {version} stand-in\n".encode(),
        "NOTICE.txt": b"A stand-in for tests; not a Mattermost server.\n",
    }
    directories = ["logs"] + (["prepackaged_plugins"] if traits.prepackaged_directory else [])
    dest_dir.mkdir(parents=True, exist_ok=True)
    path = dest_dir / f"mattermost-{version}.tar.gz"
    path.write_bytes(_pack(files, directories, executable=f"bin/{traits.binary}"))
    return path


def _default_config(version: Version) -> bytes:
    """As releases ship it: defaults and seeded states; the generated keys are left to the first start."""
    config = defaults(version)
    states = seeded_states(version, diagnostics=True)
    config["PluginSettings"]["PluginStates"] = {key: {"Enable": states[key]} for key in sorted(states)}
    return encode(config)


def _pack(files: Dict[str, bytes], directories: List[str], executable: str) -> bytes:
    names = {f"{TOP}/{name}/" for name in directories}
    for name in files:
        names.update(f"{TOP}/{name}"[: index + 1] for index, char in enumerate(f"{TOP}/{name}") if char == "/")
    names.update(f"{TOP}/{name}" for name in files)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(names):
            entry = tarfile.TarInfo(name)
            entry.mtime = FIXED_TIME
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            content = files[name[len(TOP) + 1 :]]
            entry.size = len(content)
            entry.mode = 0o755 if name == f"{TOP}/{executable}" else 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()


def _main() -> int:
    parser = argparse.ArgumentParser(description="Pack the stand-in server like a Mattermost release.")
    parser.add_argument("version", help=f"e.g. {', '.join(SUPPORTED)}")
    parser.add_argument("destination", type=Path)
    arguments = parser.parse_args()
    print(build_release(arguments.version, arguments.destination))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
