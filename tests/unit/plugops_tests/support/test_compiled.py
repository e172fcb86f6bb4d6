# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests keep of compiling is what the source says, where it is said."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

FAILS = "def fails():\n    raise ValueError({said!r})\n"


def run(archive: Path, said: str) -> str:
    """What a program says that fails in a module of an archive."""
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("packed.py", FAILS.format(said=said))
    program = f"import sys; sys.path.insert(0, {str(archive)!r}); import packed; packed.fails()"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_another_source_is_another_module_and_another_place_another_file(tmp_path: Path) -> None:
    for archive in (tmp_path / "one.zip", tmp_path / "other.zip"):
        for said in ("first", "second"):
            for _ in range(2):
                told = run(archive, said)
                assert told.endswith(f"ValueError: {said}\n")
                assert f'File "{archive}/packed.py", line 2, in fails' in told
