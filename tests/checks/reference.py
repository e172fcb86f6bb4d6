# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference pages of the collection, as antsibull-docs makes them.

Usage: reference.py lint - whether the documentation of all plugins and roles is whole and refers to what exists.
       reference.py site DIRECTORY - the pages as HTML.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Union

from built import build, unpack, with_programs

NAME = "plugops.mattermost"
PROGRAMS = Path(sys.executable).parent


def main(arguments: List[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="plugops-reference-") as scratch:
        root = unpack(build(PROGRAMS, Path(scratch)))
        collections = root.parents[2]
        if arguments == ["lint"]:
            return _run(collections, "lint-collection-docs", "--plugin-docs", str(root))
        if len(arguments) == 2 and arguments[0] == "site":
            return _site(collections, Path(arguments[1]).absolute())
    print(__doc__)
    return 2


def _site(collections: Path, target: Path) -> int:
    """Let antsibull-docs lay out a Sphinx project, make its sources, and build it."""
    project = collections / "site"
    project.mkdir()
    status = _run(collections, "sphinx-init", "--use-current", "--squash-hierarchy", "--dest-dir", str(project), NAME)
    if status == 0:
        pages = ["collection", "--use-current", "--squash-hierarchy", "--dest-dir", str(project / "rst"), NAME]
        (project / "rst").chmod(0o755)
        status = _run(collections, *pages)
    if status == 0:
        command: List[Union[str, Path]] = [
            PROGRAMS / "sphinx-build",
            "-q",
            "-c",
            project,
            project / "rst",
            target / "html",
        ]
        status = subprocess.run(command, env=with_programs(PROGRAMS), check=False).returncode
    if status == 0:
        print(f"The site: {target / 'html' / 'index.html'}")
    return status


def _run(collections: Path, *arguments: str) -> int:
    """Run antsibull-docs where it finds the built collection and no other."""
    environment = with_programs(PROGRAMS, ANSIBLE_COLLECTIONS_PATH=str(collections))
    return subprocess.run([PROGRAMS / "antsibull-docs", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
