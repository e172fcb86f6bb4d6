# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles from archives, as it does for files.

Ansible sends a module as an archive of some sixty sources, and every run of it compiles them anew: that is more than a
third of all the time that a playbook takes. With this directory in PYTHONPATH (tests/conftest.py), and on
test hosts where Python looks for more packages (ON_HOSTS), each source is compiled once. How a module is packed, sent,
found and run stays as it is. The benchmarks do without.
"""

import _frozen_importlib_external
import _imp
import marshal
import os
import zipimport
from types import CodeType
from typing import Any

# What has no name for others.
_IMPORTER: Any = zipimport
_COMPILED: Any = _imp
_VERSION = _frozen_importlib_external.MAGIC_NUMBER.hex()
_KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__pycache__", "archives")
_compile = _IMPORTER._compile_source


def _compiled(path: str, source: bytes) -> CodeType:
    kept = os.path.join(_KEPT, f"{_VERSION}-{_COMPILED.source_hash(len(source), source).hex()}")
    try:
        with open(kept, "rb") as known:
            code: CodeType = marshal.loads(known.read())
    except OSError:
        code = _compile(path, source)
        _keep(kept, code)
        return code
    _COMPILED._fix_co_filename(code, path)
    return code


def _keep(path: str, code: CodeType) -> None:
    coming = f"{path}.{os.urandom(8).hex()}"  # hosts that share this directory have the same process ids
    try:
        os.makedirs(_KEPT, exist_ok=True)
        with open(coming, "wb") as out:
            out.write(marshal.dumps(code))
        os.rename(coming, path)
    except OSError:
        pass  # an account that may not write here compiles anew


_IMPORTER._compile_source = _compiled
