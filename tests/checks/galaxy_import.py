# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy says of the collection when it is uploaded: galaxy-importer over the built tarball, no error, no warning.

It has an environment of its own, since it wants other releases of what the tests use.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from built import CACHE, build, environment, with_programs

RELEASE = "0.4.44"
PYTHONS = ["3.14", "3.13", "3.12"]
REQUIREMENTS = [f"galaxy-importer=={RELEASE}", "ansible-core==2.21.5"]
_FINDING = re.compile(r"^(ERROR|WARNING|CRITICAL)\b", re.MULTILINE)
_DONE = "Importer processing completed successfully"


def main() -> int:
    programs = environment(CACHE / f"galaxy-importer-{RELEASE}", PYTHONS, REQUIREMENTS)
    if programs is None:
        return 1
    with tempfile.TemporaryDirectory(prefix="plugops-importer-") as scratch:
        tarball = build(programs, Path(scratch))
        done = subprocess.run(
            [programs / "python", "-m", "galaxy_importer.main", tarball.name],
            cwd=scratch,
            env=with_programs(programs, HOME=scratch),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    passed = done.returncode == 0 and _DONE in done.stdout and not _FINDING.search(done.stdout)
    print(f"galaxy-importer {RELEASE}: no error, no warning" if passed else done.stdout)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
