# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage-guided fuzzing (atheris) of every reader of hostile text and files: `make fuzz`, on request.

    python -m plugops_tests.fuzz TARGET [options of libFuzzer]

Each target may raise what its documentation says, and nothing else; libFuzzer bounds the time and the memory of a run.
The default run of the tests has the same readers under hypothesis.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import unicodedata
from typing import Callable, Dict, Tuple, Type

import atheris

with atheris.instrument_imports(include=["ansible_collections.plugops"]):
    from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
    from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.manifest import parse_manifest
    from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.manifest_in_bundle import manifest_of
    from ansible_collections.plugops.mattermost.plugins.module_utils._config.document import ConfigDocument
    from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
    from ansible_collections.plugops.mattermost.plugins.module_utils._core.secrets import masked
    from ansible_collections.plugops.mattermost.plugins.module_utils._core.text import one_line, printable
    from ansible_collections.plugops.mattermost.plugins.module_utils._formats.json_reader import parse_json
    from ansible_collections.plugops.mattermost.plugins.module_utils._formats.openpgp import unverifiable_by_servers
    from ansible_collections.plugops.mattermost.plugins.module_utils._host.executable import read_header
    from ansible_collections.plugops.mattermost.plugins.module_utils._install.release import ReleaseRecord
    from ansible_collections.plugops.mattermost.plugins.module_utils._log.line import parse_journal_line, parse_log_line
    from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import meaning_of
    from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.lock_file import parse_lock
    from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.signature import dearmoured

Target = Tuple[Callable[[bytes], object], Tuple[Type[BaseException], ...]]


def _in_file(read: Callable[[str], object]) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as out:
            out.write(data)
            out.flush()
            return read(out.name)

    return run


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _log(data: bytes) -> None:
    for parse in (parse_log_line, parse_journal_line):
        line = parse(_text(data))
        meaning_of(line)
        line.shown("place")


def _shown(data: bytes) -> None:
    text = _text(data)
    assert masked(masked(text)) == masked(text)
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(char) for char in one_line(text)}
    printable(text).encode("utf-8")


TARGETS: Dict[str, Target] = {
    "json": (parse_json, (ValueError,)),
    "config": (lambda data: ConfigDocument.parse(data, "config.json").section("PluginSettings"), (OperatorError,)),
    "manifest_json": (lambda data: parse_manifest("plugin.json", data), (OperatorError,)),
    "manifest_yaml": (lambda data: parse_manifest("plugin.yaml", data), (OperatorError,)),
    "bundle": (_in_file(read_bundle), (OperatorError,)),
    "bundle_manifest": (_in_file(manifest_of), (OperatorError, OSError)),
    "executable": (_in_file(read_header), (OSError,)),
    "signature": (lambda data: (unverifiable_by_servers(data), dearmoured(data, "x.sig")), (OperatorError,)),
    "lock": (lambda data: parse_lock(_text(data), "plugins.lock"), (OperatorError,)),
    "log": (_log, ()),
    "text": (_shown, ()),
    "release_record": (ReleaseRecord.parse, ()),
}


def main() -> None:
    run, allowed = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(*allowed):
            run(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
