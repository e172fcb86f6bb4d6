# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test cluster is made of, written into one directory.

`python -m plugops_tests.clusters.artifacts DIRECTORY [...]`

The release of the stand-in, and plugin bundles in an old and a new version.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List

from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle

OLD, NEW = "1.0.0", "1.1.0"


def plugin_ids(count: int) -> List[str]:
    """The ids of the bundles."""
    return [f"com.example.plugin{number:02d}" for number in range(1, count + 1)]


def make_artifacts(directory: Path, version: str, plugins: int, files: int) -> None:
    """Write mattermost-<version>.tar.gz and two versions of each bundle.

    :param plugins: how many plugins; every second one has a server part
    :param files: filler files in each
    """
    directory.mkdir(parents=True, exist_ok=True)
    build_release(version, directory)
    for number, plugin_id in enumerate(plugin_ids(plugins)):
        for plugin_version in (OLD, NEW):
            make_bundle(directory, plugin_id, plugin_version, server=number % 2 == 0, file_count=files)


def main(arguments: List[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--server-version", default="5.36.1")
    parser.add_argument("--plugins", type=int, default=2)
    parser.add_argument("--files", type=int, default=0)
    options = parser.parse_args(arguments)
    make_artifacts(options.directory, options.server_version, options.plugins, options.files)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
