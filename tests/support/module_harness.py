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
from typing import Any, Dict, Mapping, Sequence, Tuple

from ansible.module_utils import basic
from ansible_collections.plugops.mattermost.plugins.plugin_utils._wanted_bundles import BundleFacts, wanted_plugins

COLLECTION = "ansible_collections.plugops.mattermost.plugins.modules"
WITH_CONTROLLER_HALF = ("mattermost_plugin", "mattermost_plugin_info")
Snapshot = Dict[str, Tuple[Any, ...]]


def call(module: str, arguments: Mapping[str, Any], check_mode: bool, cache: Path) -> Dict[str, Any]:
    """What the module answers, its controller half included.

    :param cache: where the controller half keeps what it read in bundles
    """
    arguments = dict(arguments)
    if module not in WITH_CONTROLLER_HALF:
        return _run(module, arguments, check_mode)
    plugins, sources = wanted_plugins(arguments.pop("plugins", []), str, BundleFacts(str(cache)))
    arguments["bundles"] = [plugin.to_dict() for plugin in plugins]
    answer = _run(module, arguments, check_mode)
    lacking = answer.get("lacking")
    if not lacking:
        return answer
    with tempfile.TemporaryDirectory() as directory:
        delivery = os.path.join(directory, "bundles.tar")
        with tarfile.open(delivery, "w") as archive:
            for sha256 in lacking:
                archive.add(sources[sha256], arcname=f"{sha256}.tar.gz")
        return _run(module, {**arguments, "delivery": delivery}, check_mode)


def _run(module: str, arguments: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    internal = {"_ansible_check_mode": check_mode, "_ansible_diff": True, "_ansible_no_log": False}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}}).encode()
    main = importlib.import_module(f"{COLLECTION}.{module}").main
    output = io.StringIO()
    before = basic._ANSIBLE_ARGS, getattr(basic, "_ANSIBLE_PROFILE", None)
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = given, "legacy"
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            main()
    finally:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
    answer = json.loads(output.getvalue())
    assert isinstance(answer, dict)
    return answer


def snapshot(root: Path, without: Sequence[Path] = ()) -> Snapshot:
    """Everything below a directory: path -> mode, owner, group, mtime, and the bytes or the link's target."""
    found: Snapshot = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if Path(directory, name) not in without]
        for path in [directory, *(os.path.join(directory, name) for name in files)]:
            entry = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(entry.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(entry.st_mode):
                content = Path(path).read_bytes()
            found[path] = (entry.st_mode, entry.st_uid, entry.st_gid, entry.st_mtime_ns, content)
    return found
