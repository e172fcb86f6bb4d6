# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin system: start-up, activation by settings, installation, file store and prepackaged bundles."""

from __future__ import annotations

import io
import os
import shutil
import threading
from typing import Any, Dict, List, Optional, Tuple

from . import signature as signatures
from .bundle import InvalidIdError, ManifestError, open_bundle
from .config_store import ConfigError, ConfigStore, ReadOnlyConfigError
from .embedded import EMBEDDED, unpack_embedded
from .environment import Bundle, Environment
from .errors import AppError
from .file_store import FileStore, bundle_name, signature_name
from .gofs import GoError, PathError, clean_join, copy_dir, mkdir, mkdir_temp, remove_all, write_file
from .logs import Log
from .manifest import Manifest, strict_version
from .search import Search
from .versions import Traits

MARKER = ".filestore"
ALWAYS, ONLY_IF_NEW, ONLY_IF_NEWER = "always", "only if new", "only if new or newer"


class PluginSystem:
    def __init__(self, traits: Traits, config: ConfigStore, log: Log, search: Search) -> None:
        self._traits = traits
        self._config = config
        self._log = log
        self._search = search
        self._lock = threading.RLock()
        self.environment: Optional[Environment] = None

    @property
    def settings(self) -> Dict[str, Any]:
        return self._config.effective["PluginSettings"]

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make both directories (one level each) and bring up what is enabled; an error leaves the system off."""
        with self._lock:
            if self.environment is not None or not self.settings["Enable"]:
                return
            self._log.info("Starting up plugins")
            directory, client_directory = self.settings["Directory"], self.settings["ClientDirectory"]
            for path in (directory, client_directory):
                try:
                    mkdir(path, 0o744)
                except PathError as error:
                    if not isinstance(error.__cause__, FileExistsError):
                        self._log_failure("start up plugins", error)
                        return
            self.environment = Environment(directory, client_directory, self._traits)
            if self._traits.embedded_plugins:
                unpack_embedded(directory, self._log)
                self._enable_embedded()
            if self._traits.file_store:
                self._sync_with_store()
            if self._traits.prepackaged_directory:
                self._install_prepackaged()
            self.apply_states()

    def _log_failure(self, what: str, error: Exception) -> None:
        if self._traits.text_log:
            self._log.error(f"failed to {what}: {error}")
        else:
            self._log.error(f"Failed to {what}", error=error)

    def stop(self) -> None:
        with self._lock:
            if self.environment is not None:
                self.environment.shutdown()
                self.environment = None

    def config_changed(self, old: Dict[str, Any], new: Dict[str, Any]) -> None:
        """A saved or reloaded configuration: retry a failed start, stop, or follow the states."""
        with self._lock:
            if not new["PluginSettings"]["Enable"]:
                self.stop()
                return
            if self.environment is None:
                plugins_changed = old.get("PluginSettings") != new["PluginSettings"]
                if plugins_changed or not self._traits.retries_start_only_on_plugin_settings:
                    self.start()
                return
            self.apply_states()

    def apply_states(self) -> None:
        """Start what is enabled and does not run, stop what runs and is not enabled."""
        environment = self.environment
        if environment is None:
            return
        try:
            available = environment.available()
        except GoError as error:
            if self._traits.text_log:
                self._log.error(f"failed to activate plugins: {error}")
            else:
                self._log.error("Unable to get available plugins", error=error)
            return
        if self._traits.dies_of_broken_manifests and environment.has_broken_manifest():
            os.write(2, b"panic: runtime error: invalid memory address or nil pointer dereference\n")
            os._exit(2)
        for bundle in available:
            plugin_id = bundle.manifest["id"]
            if not self._is_enabled(plugin_id):
                environment.deactivate(plugin_id)
                continue
            try:
                if environment.activate(plugin_id) and not self._traits.rpc_plugins:
                    self._log.info(f"Activated {plugin_id} plugin")
            except GoError as error:
                self._log_activation_failure(bundle, error)

    def _log_activation_failure(self, bundle: Bundle, error: GoError) -> None:
        plugin_id = bundle.manifest["id"]
        if self._traits.bare_activation_error:
            self._log.error(str(error))
        elif not self._traits.rpc_plugins:
            self._log.error("Plugin failed to activate", plugin_id=plugin_id, err=error)
        elif self._traits.bundle_path_in_activation_error:
            self._log.error("Unable to activate plugin", plugin_id=plugin_id, bundle_path=bundle.path, error=error)
        else:
            self._log.error("Unable to activate plugin", plugin_id=plugin_id, error=error)

    def _is_enabled(self, plugin_id: str) -> bool:
        return bool(self.settings["PluginStates"].get(plugin_id, {}).get("Enable"))

    def require_environment(self, where: str) -> Environment:
        if self.environment is None or not self.settings["Enable"]:
            hint = " Please check your logs for details." if self._traits.check_logs_hint else ""
            raise AppError(where, "app.plugin.disabled.app_error", f"Plugins have been disabled.{hint}", 501)
        return self.environment

    # -- settings -------------------------------------------------------------------------------------------------

    def _enable_embedded(self) -> None:
        """4.5 to 5.1 switch jira on by rewriting config.json when it has no state."""
        if "jira" not in self.settings["PluginStates"]:
            try:
                self._save_state("EnablePlugin", "jira", True)
            except AppError as error:
                self._log.error(str(error))

    def _save_state(self, where: str, plugin_id: str, enable: bool) -> None:
        wanted = {name: dict(section) for name, section in self._config.effective.items()}
        wanted["PluginSettings"]["PluginStates"] = {
            **wanted["PluginSettings"]["PluginStates"],
            plugin_id: {"Enable": enable},
        }
        try:
            self._config.set(wanted)
        except ReadOnlyConfigError as error:
            self._log.error("Failed to update config")
            if enable:
                message = "The plugin configuration in your config.json file must be updated manually when using "
                message += "ReadOnlyConfig with clustering enabled."
                raise AppError(where, "app.plugin.cluster.save_config.app_error", message, 500) from error
            raise AppError(where, "app.plugin.config.app_error", "Error saving plugin state in config.", 500) from error
        except ConfigError as error:
            message = "Error saving plugin state in config."
            raise AppError(where, "app.plugin.config.app_error", message, 500, str(error)) from error

    def enable(self, plugin_id: str) -> None:
        self._require_installed("EnablePlugin", plugin_id)
        self._save_state("EnablePlugin", plugin_id, True)

    def disable(self, plugin_id: str) -> None:
        self._require_installed("DisablePlugin", plugin_id)
        self._save_state("DisablePlugin", plugin_id, False)

    def _require_installed(self, where: str, plugin_id: str) -> Bundle:
        environment = self.require_environment(where)
        try:
            found = environment.find(plugin_id)
        except GoError as error:
            message = "Unable to get active plugins."
            raise AppError(where, "app.plugin.config.app_error", message, 500, str(error)) from error
        if found is None:
            status = self._traits.not_installed_status
            raise AppError(where, "app.plugin.not_installed.app_error", "Plugin is not installed.", status)
        return found

    # -- install and remove ---------------------------------------------------------------------------------------

    def install(self, content: bytes, force: bool) -> Manifest:
        """What an upload does: unpack, start if enabled, then store the bundle for other nodes and the next start."""
        with self._lock:
            manifest = self._install_locally(content, ALWAYS if force else ONLY_IF_NEW)
            assert manifest is not None
            if self._traits.file_store:
                store = self._store()
                try:
                    store.write(bundle_name(manifest["id"]), content)
                except GoError as error:
                    message = "Unable to store the plugin to the configured file store."
                    raise AppError(
                        "InstallPlugin", "app.plugin.store_bundle.app_error", message, 500, str(error)
                    ) from error
            return manifest

    def _install_locally(self, content: bytes, strategy: str) -> Optional[Manifest]:
        where = "installPlugin"
        self.require_environment(where)
        try:
            temporary = mkdir_temp("plugintmp")
        except GoError as error:
            message = "Encountered filesystem error."
            raise AppError(
                "installPluginLocally", "app.plugin.filesystem.app_error", message, 500, str(error)
            ) from error
        try:
            try:
                manifest, extracted = open_bundle(io.BytesIO(content), temporary, self._traits, self._log.warn)
            except ManifestError as error:
                message = "Unable to find manifest for extracted plugin."
                raise AppError(where, "app.plugin.manifest.app_error", message, 400, str(error)) from error
            except InvalidIdError as error:
                raise self._invalid_id(where) from error
            except GoError as error:
                message = "Encountered error extracting plugin."
                raise AppError("extractPlugin", "app.plugin.extract.app_error", message, 400, str(error)) from error
            return self._install_extracted(manifest, extracted, strategy)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _invalid_id(self, where: str) -> AppError:
        if self._traits.id_by_pattern:
            message = "Plugin Id must be at least 3 characters, at most 190 characters and match ^[a-zA-Z0-9-_\\.]+$."
            return AppError(where, "app.plugin.invalid_id.app_error", message, 400)
        return AppError(where, "app.plugin.id_length.app_error", "Plugin Id must be less than 190 characters.", 400)

    def _install_extracted(self, manifest: Manifest, extracted: str, strategy: str) -> Optional[Manifest]:
        where = "installExtractedPlugin"
        environment = self.require_environment(where)
        plugin_id = manifest["id"]
        if self._traits.embedded_plugins and plugin_id in EMBEDDED:
            raise AppError(where, "app.plugin.prepackaged.app_error", "Cannot install prepackaged plugin.", 400)
        try:
            existing = environment.find(plugin_id)
        except GoError as error:
            message = "Unable to get active plugins."
            raise AppError(where, "app.plugin.install.app_error", message, 500, str(error)) from error
        if existing is not None and self._traits.refuses_same_id:
            if strategy == ONLY_IF_NEW:
                message = "Unable to install plugin. A plugin with the same ID is already installed."
                raise AppError(where, "app.plugin.install_id.app_error", message, 400)
            if strategy == ONLY_IF_NEWER and not _is_newer(manifest, existing.manifest):
                self._log.debug(
                    "Skipping local installation of plugin since existing version is newer", plugin_id=plugin_id
                )
                return None
            try:
                self._remove_locally(plugin_id)
            except AppError as error:
                message = (
                    "Unable to install plugin. A plugin with the same ID is already installed and failed to be removed."
                )
                status = self._traits.failed_remove_status
                failed_remove = "app.plugin.install_id_failed_remove.app_error"
                raise AppError(where, failed_remove, message, status) from error
        self._place(manifest, extracted)
        return manifest

    def _place(self, manifest: Manifest, extracted: str) -> None:
        where = "installExtractedPlugin"
        environment = self.require_environment(where)
        plugin_id = manifest["id"]
        # The installer uses the setting of this moment, the environment that of its start.
        directory = self.settings["Directory"] if self._traits.file_store else environment.directory
        path = clean_join(directory, plugin_id)
        try:
            copy_dir(extracted, path)
        except GoError as error:
            message = "Unable to move plugin from temporary directory to final destination. "
            message += "Another plugin may be using the same directory name."
            raise AppError(where, "app.plugin.mvdir.app_error", message, 500, str(error)) from error
        if self._traits.managed_marker:
            write_file(clean_join(path, MARKER), b"", 0o666)
        if manifest.get("webapp") and self._traits.unpacks_webapp_at_install:
            try:
                environment.unpack_webapp(dict(manifest, webapp=dict(manifest["webapp"])))
            except GoError as error:
                message = "Unable to generate plugin webapp bundle."
                raise AppError(where, "app.plugin.webapp_bundle.app_error", message, 500, str(error)) from error
        if self._is_enabled(plugin_id) and self._traits.rpc_plugins:
            try:
                environment.activate(plugin_id)
            except GoError as error:
                if not self._traits.activates_at_install:
                    return  # only logged, as an enabling is
                message = "Unable to restart plugin on upgrade."
                raise AppError(where, "app.plugin.restart.app_error", message, 500, str(error)) from error

    def _remove_locally(self, plugin_id: str) -> None:
        environment = self.require_environment("RemovePlugin")
        bundle = self._require_installed("removePlugin", plugin_id)
        environment.deactivate(plugin_id)
        environment.forget(plugin_id)
        try:
            remove_all(bundle.path)
        except GoError as error:
            message = "Unable to delete plugin."
            raise AppError("removePlugin", "app.plugin.remove.app_error", message, 500, str(error)) from error

    def remove(self, plugin_id: str) -> None:
        with self._lock:
            if self._traits.embedded_plugins and plugin_id in EMBEDDED:
                self.require_environment("RemovePlugin")
                raise AppError(
                    "removePlugin", "app.plugin.prepackaged.app_error", "Cannot remove prepackaged plugin.", 400
                )
            self._require_installed("removePlugin", plugin_id)
            if self._traits.removal_disables:
                self.disable(plugin_id)
            self._remove_locally(plugin_id)
            if self._traits.file_store:
                store = self._store()
                try:
                    store.remove(bundle_name(plugin_id))
                    store.remove(signature_name(plugin_id))
                except GoError as error:
                    message = "Unable to remove plugin bundle from file store."
                    raise AppError(
                        "RemovePlugin", "app.plugin.remove_bundle.app_error", message, 500, str(error)
                    ) from error

    # -- at start -------------------------------------------------------------------------------------------------

    def _store(self) -> FileStore:
        return FileStore(self._config.effective["FileSettings"]["Directory"])

    def _sync_with_store(self) -> None:
        """Managed plugins are removed and made anew from the stored bundles; from 11 every plugin is managed."""
        environment = self.environment
        assert environment is not None
        self._log.info("Syncing plugins from the file store")
        try:
            available = environment.available()
        except GoError as error:
            failure = AppError(
                "SyncPlugins", "app.plugin.sync.read_local_folder.app_error", _READ_FAILED, 500, str(error)
            )
            self._log.error("Failed to sync plugins from the file store", error=failure)
            return
        for bundle in available:
            self._remove_before_sync(bundle.manifest["id"])
        for plugin_id in self._store().plugin_bundles():
            self._install_from_store(plugin_id)

    def _remove_before_sync(self, plugin_id: str) -> None:
        marker = clean_join(self.settings["Directory"], plugin_id, MARKER)
        if self._traits.managed_marker and not os.path.exists(marker):
            self._log.warn("Skipping sync for unmanaged plugin", plugin_id=plugin_id)
            return
        write = self._log.info if self._traits.removes_unmanaged else self._log.debug
        write("Removing local installation of managed plugin before sync", plugin_id=plugin_id)
        try:
            self._remove_locally(plugin_id)
        except AppError as error:
            self._log.error(
                "Failed to remove local installation of managed plugin before sync", plugin_id=plugin_id, error=error
            )

    def _install_from_store(self, plugin_id: str) -> None:
        store = self._store()
        name = bundle_name(plugin_id)
        try:
            content = store.read(name)
        except GoError as error:
            self._log.error("Failed to open plugin bundle from file store.", bundle=name, error=error)
            return
        if self.settings.get("RequirePluginSignature") and not self._stored_signature_is_good(plugin_id, content):
            return
        self._log.info("Syncing plugin from file store", bundle=name)
        try:
            self._install_locally(content, ALWAYS)
        except AppError as error:
            newer = self._traits.bundle_path_in_activation_error
            named = {"plugin_id": plugin_id, "bundle_path": name} if newer else {"bundle": name}
            self._log.error("Failed to sync plugin from file store", **named, error=error)

    def _stored_signature_is_good(self, plugin_id: str, content: bytes) -> bool:
        try:
            signature = self._store().read(signature_name(plugin_id))
        except GoError as error:
            self._log.error("Failed to open plugin signature from file store.", error=error)
            return False
        if self._signature_is_good(content, signature):
            return True
        message = "VerifyPlugin: Unable to verify plugin signature., unable to verify signature"
        self._log.error("Failed to validate plugin signature", plugin_id=plugin_id, error=message)
        return False

    def _signature_is_good(self, content: bytes, signature: bytes) -> bool:
        keys: List[str] = self.settings.get("SignaturePublicKeyFiles", [])
        return signatures.is_good(content, signature, keys, os.path.dirname(self._config.path))

    def _install_prepackaged(self) -> None:
        directory = self._search.directory("prepackaged_plugins")
        if directory is None:
            return
        names = sorted(name for name in os.listdir(directory) if name.endswith(".tar.gz"))
        newest: Dict[str, Tuple[Manifest, str, bytes]] = {}
        for name in names:
            path = os.path.join(directory, name)
            try:
                content, manifest = self._read_prepackaged(path)
            except (GoError, OSError, AppError) as error:
                self._log.error("Failed to install prepackaged plugin", path=path, error=error)
                continue
            previous = newest.get(manifest["id"])
            if previous is None or _is_newer(manifest, previous[0]):
                newest[manifest["id"]] = (manifest, path, content)
        for manifest, path, content in newest.values():
            self._install_one_prepackaged(manifest, path, content)

    def _read_prepackaged(self, path: str) -> Tuple[bytes, Manifest]:
        with open(path, "rb") as stream:
            content = stream.read()
        if self._traits.prepackaged_needs_signature:
            if not os.path.exists(path + ".sig"):
                raise GoError("Prepackaged plugin missing required signature file")
            with open(path + ".sig", "rb") as stream:
                if not self._signature_is_good(content, stream.read()):
                    raise GoError(f"Prepackaged plugin signature verification failed for {path} using {path}.sig")
        temporary = mkdir_temp("plugintmp")
        try:
            manifest, _ = open_bundle(io.BytesIO(content), temporary, self._traits, self._log.warn)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return content, manifest

    def _install_one_prepackaged(self, manifest: Manifest, path: str, content: bytes) -> None:
        if self._traits.prepackaged_only_if_enabled:
            if not self.settings["AutomaticPrepackagedPlugins"]:
                return
            if not self._is_enabled(manifest["id"]):
                if self._traits.says_not_previously_enabled:
                    self._log.debug(
                        "Not installing prepackaged plugin: not previously enabled", plugin_id=manifest["id"]
                    )
                return
        strategy = ONLY_IF_NEWER if self._traits.prepackaged_only_if_enabled else ALWAYS
        try:
            self._install_locally(content, strategy)
        except AppError as error:
            old_words = "Failed to unpack prepackaged plugin"
            words = "Failed to install prepackaged plugin" if self._traits.prepackaged_only_if_enabled else old_words
            self._log.error(words, path=path, error=error)


_READ_FAILED = "Error reading local plugins folder."


def _is_newer(candidate: Manifest, existing: Manifest) -> bool:
    try:
        return strict_version(str(candidate.get("version"))) > strict_version(str(existing.get("version")))
    except ValueError:
        return False
