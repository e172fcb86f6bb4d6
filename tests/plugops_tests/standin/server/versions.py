# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server version does what: every switch of the stand-in by version, in one table."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """A server version; compares with plain tuples, e.g. `version >= (5, 2)`."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        major, minor, patch = (int(part) for part in text.split("."))
        return cls(major, minor, patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class Traits:
    """What a server of this version does differently from others."""

    def __init__(self, version: Version) -> None:
        self.version = version

        # Start-up and logging
        self.text_log = version < (4, 10)
        self.zap_log = (4, 10) <= version < (5, 38)
        self.cwd_as_field = version >= (5, 30)
        self.notifies_systemd = version >= (5, 0)
        self.reloads_at_start = version < (5, 14)
        self.ends_well_without_translations = version < (4, 10)
        self.binary = "platform" if version < (5, 0) else "mattermost"
        self.searches_beside_executable = version >= (5, 8)

        # Configuration
        self.mm_config = version >= (5, 10)
        self.empty_file_means_defaults = version >= (5, 10)
        self.watches_config_file = version < (5, 38)
        self.creates_config_mode = 0o600 if (5, 28) <= version < (6, 0) else 0o644
        self.lower_cases_map_keys = version < (5, 30)
        self.plugin_env_overrides = version >= (5, 2)
        self.bad_overrides_are_fatal = (5, 2) <= version < (5, 30)
        self.map_env_overrides = version >= (7, 5)
        self.environment_route = version >= (4, 10)
        self.patch_route = version >= (5, 20)
        self.keeps_uploads_by_rest_put = version >= (4, 8)
        self.refuses_uploads_by_rest_patch = version >= (5, 33)
        self.keeps_uploads_by_socket_put = version < (10, 0)
        self.keeps_uploads_by_socket_patch = version < (5, 33)
        self.ignores_empty_plugins_in_patch = version >= (11, 0)
        self.restriction_is_a_permission = version >= (11, 0)
        self.restrict_system_admin = version >= (5, 10)
        self.drops_settings_of_missing_plugins = version >= (11, 0)
        self.masks_secret_settings = version >= (10, 1)

        # Local mode
        self.local_mode = version >= (5, 24)
        self.needs_its_socket = version >= (9, 10)  # 5.36 does not; what is between was not looked at
        self.socket_reload = version >= (6, 0)

        # Plugin API
        self.masks_login_errors = version >= (5, 2)
        self.enable_word = "enable" if version >= (5, 2) else "activate"
        self.disable_word = "disable" if version >= (5, 2) else "deactivate"
        self.statuses_route = version >= (5, 0)
        self.status_error_field = version >= (7, 2)
        self.force_field = version >= (5, 8)
        self.install_from_url = version >= (5, 14)
        self.refuses_same_id = version >= (4, 5)
        self.check_logs_hint = version >= (4, 8)
        self.not_installed_status = 404 if version >= (5, 20) else 400
        self.failed_remove_status = 500 if version >= (9, 0) else 400
        self.limits_upload_size = version >= (5, 21)
        self.own_upload_size_error = version >= (10, 1)
        self.removal_disables = version >= (5, 15)
        self.upload_needs_no_signature_rule = version >= (5, 18)
        self.unpacks_webapp_at_install = version >= (5, 15)
        self.activates_at_install = version >= (5, 15)

        # Manifest and bundle
        self.id_by_pattern = version >= (5, 2)
        self.lower_cases_ids = version >= (5, 2)
        self.min_server_version = version >= (5, 6)
        self.refuses_special_members = version < (5, 20)
        self.any_platform_executables = version >= (5, 32)

        # Plugin environment
        self.rpc_plugins = version >= (5, 2)
        self.reads_backend = version < (6, 0)
        self.failed_counts_as_active = (5, 2) <= version < (5, 14)
        self.dies_of_broken_manifests = version < (5, 30)
        self.hashed_webapp = version >= (5, 2)
        self.webapp_bundle_path = version >= (4, 8)
        self.wraps_webapp_error = version >= (5, 15)
        self.bare_activation_error = version < (4, 10)
        self.bundle_path_in_activation_error = version >= (9, 0)
        self.lstats_entries = version < (6, 0)
        self.checks_executable_sum = version >= (7, 9)
        self.knows_missing_executable = version >= (7, 10)

        # Where plugins come from
        self.embedded_plugins = (4, 5) <= version < (5, 2)
        self.prepackaged_directory = version >= (5, 2)
        self.prepackaged_only_if_enabled = version >= (5, 20)
        self.prepackaged_needs_signature = version >= (10, 11)
        self.says_not_previously_enabled = version >= (9, 0)
        self.file_store = version >= (5, 14)
        self.managed_marker = (5, 14) <= version < (11, 0)
        self.removes_unmanaged = version >= (11, 0)
        self.retries_start_only_on_plugin_settings = version >= (11, 0)
