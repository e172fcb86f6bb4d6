# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin environment of a running server: which plugins lie in `Directory`, which run, what the browser gets."""

from __future__ import annotations

import os
import threading
from typing import Any, Dict, List, NamedTuple, Optional

from . import process
from .gofs import GoError, clean_join, copy_dir, read_dir, read_file, real_directories, remove_all, write_file
from .manifest import Manifest, find_manifest, server_part, strict_version
from .versions import Traits

NOT_RUNNING, RUNNING, FAILED_TO_START = 0, 2, 3


class Bundle(NamedTuple):
    """A plugin found in the plugin directory."""

    path: str
    manifest: Manifest


class Environment:
    """Built once at start-up with the directories of that moment; a later change of the settings does not reach it."""

    def __init__(self, directory: str, client_directory: str, traits: Traits) -> None:
        self.directory = directory
        self.client_directory = client_directory
        self._traits = traits
        self._lock = threading.RLock()
        self._running: Dict[str, Manifest] = {}
        self._processes: Dict[str, process.PluginProcess] = {}
        self._states: Dict[str, int] = {}
        self._errors: Dict[str, str] = {}

    def available(self) -> List[Bundle]:
        """Every real directory with a manifest that parses. Raises GoError if the directory cannot be read."""
        read_dir(self.directory, self._traits.lstats_entries)
        found = []
        for name in real_directories(self.directory):
            if name.startswith("."):
                continue
            path = clean_join(self.directory, name)
            manifest, _ = find_manifest(path, self._traits)
            if manifest is not None:
                found.append(Bundle(path, manifest))
        return found

    def has_broken_manifest(self) -> bool:
        """Whether a directory has a manifest that does not parse."""
        paths = [clean_join(self.directory, name) for name in real_directories(self.directory) if name[0] != "."]
        return any(manifest is None and found for manifest, found in (find_manifest(p, self._traits) for p in paths))

    def find(self, plugin_id: str) -> Optional[Bundle]:
        return next((bundle for bundle in self.available() if bundle.manifest["id"] == plugin_id), None)

    def is_running(self, plugin_id: str) -> bool:
        with self._lock:
            return plugin_id in self._running

    def is_listed_as_active(self, plugin_id: str) -> bool:
        """From 5.2 to 5.13 so is what failed to start."""
        failed = self._traits.failed_counts_as_active and self._states.get(plugin_id) == FAILED_TO_START
        return failed or self.is_running(plugin_id)

    def running_manifests(self) -> List[Manifest]:
        with self._lock:
            return list(self._running.values())

    def statuses(self) -> List[Dict[str, Any]]:
        items = []
        for path, manifest in self.available():
            plugin_id = manifest["id"]
            item = {
                "plugin_id": plugin_id,
                "cluster_id": "",
                "plugin_path": os.path.dirname(path) if self._traits.rpc_plugins else path,
                "state": self._states.get(plugin_id, NOT_RUNNING),
                "name": manifest.get("name", ""),
                "description": manifest.get("description", ""),
                "version": manifest.get("version", ""),
            }
            if not self._traits.rpc_plugins:
                item.update(is_sandboxed=False, is_prepackaged=False)
            if self._traits.status_error_field:
                item["error"] = self._errors.get(plugin_id, "")
            items.append(item)
        return items

    def activate(self, plugin_id: str) -> bool:
        """Start a plugin; False if it runs already. Raises GoError with the reason."""
        with self._lock:
            if plugin_id in self._running:
                return False
            bundles = [bundle for bundle in self.available() if bundle.manifest["id"] == plugin_id]
            if len(bundles) > 1:
                raise GoError(f"multiple plugins found: {plugin_id}")
            if not bundles:
                raise GoError(f"plugin not found: {plugin_id}")
            self._errors.pop(plugin_id, None)
            try:
                self._start(bundles[0])
            except GoError as error:
                self._states[plugin_id] = FAILED_TO_START
                self._errors[plugin_id] = str(error)
                raise
            self._running[plugin_id] = bundles[0].manifest
            self._states[plugin_id] = RUNNING
            return True

    def _start(self, bundle: Bundle) -> None:
        path, manifest = bundle
        plugin_id = manifest["id"]
        self._check_server_version(manifest)
        has_server = server_part(manifest, self._traits) is not None
        if not has_server and not manifest.get("webapp") and self._traits.rpc_plugins:
            raise GoError("unable to start plugin: must at least have a web app or server component")
        if not self._traits.rpc_plugins and has_server:
            self._start_process(path, manifest)
        if manifest.get("webapp"):
            try:
                self.unpack_webapp(manifest)
            except GoError as error:
                self._stop_process(plugin_id)
                if not self._traits.wraps_webapp_error:
                    raise
                raise GoError(f"unable to generate webapp bundle: {plugin_id}: {error}") from error
        if self._traits.rpc_plugins and has_server:
            self._start_process(path, manifest)

    def _check_server_version(self, manifest: Manifest) -> None:
        wanted = manifest.get("min_server_version")
        if not wanted or not self._traits.min_server_version:
            return
        try:
            fulfilled = self._traits.version >= strict_version(str(wanted))
        except ValueError as error:
            raise GoError(f"failed to parse MinServerVersion: {error}: {manifest['id']}") from error
        if not fulfilled:
            raise GoError(f"plugin requires Mattermost {wanted}: {manifest['id']}")

    def _start_process(self, path: str, manifest: Manifest) -> None:
        try:
            self._processes[manifest["id"]] = process.start(path, manifest, self._traits)
        except GoError as error:
            raise GoError(f"unable to start plugin: {manifest['id']}: {error}") from error

    def _stop_process(self, plugin_id: str) -> None:
        child = self._processes.pop(plugin_id, None)
        if child is not None:
            child.stop()

    def unpack_webapp(self, manifest: Manifest) -> None:
        """Make the browser's copy anew. From 5.2 a directory of its own, its main file named by content."""
        if self._traits.hashed_webapp:
            self._unpack_hashed(manifest)
        else:
            self._unpack_flat(manifest)

    def _unpack_hashed(self, manifest: Manifest) -> None:
        plugin_id = manifest["id"]
        relative = os.path.normpath(str(manifest["webapp"].get("bundle_path", "")))
        if relative.startswith("."):
            raise GoError("invalid webapp bundle path")
        source = clean_join(self.directory, plugin_id, relative)
        destination = clean_join(self.client_directory, plugin_id)
        try:
            remove_all(destination)
        except GoError as error:
            raise GoError(f"unable to remove old webapp bundle directory: {destination}: {error}") from error
        try:
            copy_dir(os.path.dirname(source), destination)
        except GoError as error:
            raise GoError(f"unable to copy webapp bundle directory: {plugin_id}: {error}") from error
        main_file = clean_join(destination, os.path.basename(source))
        try:
            content = read_file(main_file)
        except GoError as error:
            raise GoError(f"unable to read webapp bundle: {plugin_id}: {error}") from error
        name = f"{plugin_id}_{_fnv1a_64(content):016x}_bundle.js"
        os.rename(main_file, clean_join(destination, name))
        manifest["webapp"]["bundle_path"] = f"/static/{plugin_id}/{name}"

    def _unpack_flat(self, manifest: Manifest) -> None:
        plugin_id = manifest["id"]
        candidates = [f"webapp/{plugin_id}_bundle.js"]
        if self._traits.webapp_bundle_path and manifest["webapp"].get("bundle_path"):
            candidates.insert(0, str(manifest["webapp"]["bundle_path"]))
        paths = [clean_join(self.directory, plugin_id, candidate) for candidate in candidates]
        source = next((path for path in paths if os.path.exists(path)), paths[-1])
        try:
            content = read_file(source)
        except GoError as error:
            raise GoError(f"unable to read webapp bundle: {plugin_id}: {error}") from error
        name = f"{plugin_id}_bundle.js"
        try:
            write_file(clean_join(self.client_directory, name), content, 0o644)
        except GoError as error:
            raise GoError(f"unable to write webapp bundle: {plugin_id}: {error}") from error
        if self._traits.webapp_bundle_path:
            manifest["webapp"]["bundle_path"] = f"/static/{name}"

    def deactivate(self, plugin_id: str) -> bool:
        """Stop a plugin; False if it does not run."""
        with self._lock:
            if self._running.pop(plugin_id, None) is None:
                if self._traits.failed_counts_as_active:
                    self._states.pop(plugin_id, None)
                return False
            self._states[plugin_id] = NOT_RUNNING
            self._stop_process(plugin_id)
            return True

    def forget(self, plugin_id: str) -> None:
        """Drop the state of a removed plugin."""
        with self._lock:
            self._states.pop(plugin_id, None)
            self._errors.pop(plugin_id, None)

    def shutdown(self) -> None:
        with self._lock:
            for plugin_id in list(self._running):
                self.deactivate(plugin_id)


def _fnv1a_64(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
