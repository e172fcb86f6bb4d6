# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller part of mattermost_plugin: reads the bundles, and sends a host only those that it lacks."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from typing import Any, Dict, Optional

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ..module_utils._bundle.delivery import delivery_name
from ..module_utils._core.errors import OperatorError
from ..plugin_utils._bundles.wanted import take_plugins
from ..plugin_utils._play.misplaced_options import refuse_misplaced
from ..plugin_utils._play.this_run import this_run

_MAY_STAND_ALONE = ("bundle_directory", "lock")


class ActionModule(ActionBase):
    """One call where the host has every bundle; else one that tells what it lacks, one transfer, one call more."""

    _requires_connection = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if args.get("plugins") is None and not any(args.get(option) for option in _MAY_STAND_ALONE):
            options = ", ".join(("plugins", *_MAY_STAND_ALONE))
            return {**result, "failed": True, "msg": f"one of the following is required: {options}"}
        try:
            refuse_misplaced(args)
            sources = take_plugins(args, self._find)
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        try:
            answer = self._call(args, task_vars)
            lacking = answer.get("lacking") or []
            if lacking and not answer.get("failed"):
                delivery = {sha256: sources[sha256] for sha256 in lacking if sha256 in sources}
                host = (task_vars or {}).get("inventory_hostname")
                node = [str(part or "") for part in (host, args.get("root"), args.get("state_dir"))]
                args["delivery"] = self._deliver(delivery, delivery_name(node, this_run().run))
                answer = self._call(args, task_vars)
                answer["delivered"] = sorted(delivery)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return {**result, **answer}

    def _find(self, src: str) -> str:
        return self._find_needle("files", src)

    def _call(self, args: Dict[str, Any], task_vars: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        return self._execute_module(
            module_name="plugops.mattermost.mattermost_plugin", module_args=args, task_vars=task_vars
        )

    def _deliver(self, bundles: Dict[str, str], name: str) -> str:
        """Send bundles (SHA-256 -> path) as one file: the round trips do not grow with their number."""
        remote = self._connection._shell.join_path(self._make_tmp_path(), name)
        with _packed(bundles) as local:
            self._transfer_file(local, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        return remote


@contextlib.contextmanager
def _packed(bundles: Dict[str, str]) -> Any:
    """A temporary tar of bundles, ``<sha256>.tar.gz`` each."""
    # On a disk: the system's temporary directory may be memory.
    handle, path = tempfile.mkstemp(prefix="plugops-", suffix=".tar", dir=C.DEFAULT_LOCAL_TMP)
    try:
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w", dereference=True) as archive:
            for sha256, bundle in bundles.items():
                archive.add(bundle, arcname=f"{sha256}.tar.gz")
        yield path
    finally:
        os.unlink(path)
