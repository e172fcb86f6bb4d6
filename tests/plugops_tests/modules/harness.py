# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call a module as Ansible does, in this process: fast enough to call every option four times."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple
from unittest import mock

import yaml
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.coming import take_coming
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import take_plugins
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play.misplaced_options import refuse_misplaced

COLLECTION = "ansible_collections.plugops.mattermost.plugins"
CHECKPOINT = "mattermost_plugin_checkpoint"
WITH_CONTROLLER_HALF = ("mattermost_plugin", "mattermost_plugin_info", CHECKPOINT)
Snapshot = Dict[str, Tuple[Any, ...]]


def call(module: str, arguments: Mapping[str, Any], check_mode: bool, cache: Path) -> Dict[str, Any]:
    """What the module answers, its controller part included.

    :param cache: directory where the controller part keeps what it read in bundles
    """
    arguments = dict(arguments)
    try:
        refuse_misplaced(arguments)
    except OperatorError as error:
        return {"failed": True, "msg": str(error)}
    if module not in WITH_CONTROLLER_HALF:
        return _run(module, arguments, check_mode)
    try:
        with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(cache)):
            sources = {} if module == CHECKPOINT else take_plugins(arguments, str)
            if module == CHECKPOINT:
                take_coming(arguments, str)
    except OperatorError as error:
        return {"failed": True, "msg": str(error)}
    answer = _run(module, arguments, check_mode)
    lacking = answer.get("lacking")
    if not lacking:
        return answer
    with tempfile.TemporaryDirectory() as directory:
        delivery = os.path.join(directory, "bundles.tar")
        with tarfile.open(delivery, "w") as archive:
            for sha256 in lacking:
                if sha256 in sources:
                    archive.add(sources[sha256], arcname=f"{sha256}.tar.gz")
        return _run(module, {**arguments, "delivery": delivery}, check_mode)


def _run(module: str, arguments: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    given = {**arguments, "_ansible_check_mode": check_mode, "_ansible_diff": True, "_ansible_no_log": False}
    main = importlib.import_module(f"{COLLECTION}.modules.{module}").main
    output = io.StringIO()
    # The profile is new in ansible-core 2.19.
    internals: Dict[str, Any] = {
        "_ANSIBLE_ARGS": json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode(),
        "_ANSIBLE_PROFILE": "legacy",
    }
    patched = mock.patch.multiple(basic, create=True, **internals)
    with patched, _as_on_a_host(), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main()
    answer = json.loads(output.getvalue())
    assert isinstance(answer, dict)
    return answer


@contextlib.contextmanager
def _as_on_a_host() -> Iterator[None]:
    """A process of its own, as the module has on a host: no warnings of an earlier call, and no controller.

    Where another test has imported Ansible's controller, warnings of modules (2.19) would be displayed, not answered.
    """
    with contextlib.ExitStack() as stack:
        for said in (warnings._global_warnings, warnings._global_deprecations):
            said.clear()
        with contextlib.suppress(ImportError):
            internal = importlib.import_module("ansible.module_utils._internal")
            stack.enter_context(mock.patch.object(internal, "is_controller", False))
        yield


@contextlib.contextmanager
def captured_log() -> Iterator[List[str]]:
    """What the modules write into the host's log, instead of writing it there."""
    lines: List[str] = []
    with mock.patch.object(basic, "has_journal", False), mock.patch.object(
        basic.AnsibleModule, "_log_to_syslog", lambda _, line: lines.append(str(line))
    ):
        yield lines


def snapshot(root: Path, without: Sequence[Path] = ()) -> Snapshot:
    """Everything below a directory, links not followed: path -> what lstat says, and the bytes or the link's target.

    ctime and inode are part of it: they tell a change that was undone, too.
    """
    found: Snapshot = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if Path(directory, name) not in without]
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for path in [directory, *(os.path.join(directory, name) for name in (*files, *links))]:
            entry = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(entry.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(entry.st_mode):
                content = Path(path).read_bytes()
            times = entry.st_mtime_ns, entry.st_ctime_ns
            found[path] = (entry.st_mode, entry.st_uid, entry.st_gid, *times, entry.st_ino, content)
    return found


def differing(before: Snapshot, after: Snapshot) -> List[str]:
    """The paths that are not the same in both."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def documented_options(module: str) -> Dict[str, Dict[str, Any]]:
    """Option -> its documentation, fragments included; those of list elements as ``outer.inner``."""
    own = yaml.safe_load(importlib.import_module(f"{COLLECTION}.modules.{module}").DOCUMENTATION)
    options = dict(own.get("options") or {})
    for name in own.get("extends_documentation_fragment", []):
        file_name, _, part = name.split(".", 2)[2].partition(".")
        fragment = importlib.import_module(f"{COLLECTION}.doc_fragments.{file_name}").ModuleDocFragment
        text = getattr(fragment, part.upper() if part else "DOCUMENTATION")
        options.update(yaml.safe_load(text).get("options") or {})
    for outer, option in list(options.items()):
        options.update({f"{outer}.{inner}": value for inner, value in option.get("suboptions", {}).items()})
    return options


def accepted_options(module: str) -> Dict[str, Dict[str, Any]]:
    """The module's argument specification; empty where the controller part does all."""
    loaded = importlib.import_module(f"{COLLECTION}.modules.{module}")
    if not hasattr(loaded, "main"):
        return {}
    with mock.patch.object(loaded, "AnsibleModule", side_effect=_Seen) as made, contextlib.suppress(_Seen):
        loaded.main()
    specification = made.call_args.kwargs["argument_spec"]
    assert isinstance(specification, dict)
    return specification


class _Seen(Exception):
    """The module was asked for its arguments only."""
