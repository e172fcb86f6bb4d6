# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default configuration by version: the sections that matter here, in the order in which the server writes them.

`PluginSettings` is complete. Of the other sections a realistic part is kept; their unknown keys are let through.
"""

from __future__ import annotations

import copy
import secrets
import string
from typing import Any, Dict, List, Tuple

from .versions import Version

Config = Dict[str, Dict[str, Any]]
_FIRST = Version(0, 0, 0)
_Key = Tuple[str, Any, Version]

# Sections a server knows. Any other top-level key is dropped when the server rewrites its file.
KNOWN_SECTIONS = [
    "ServiceSettings",
    "TeamSettings",
    "ClientRequirements",
    "SqlSettings",
    "LogSettings",
    "ExperimentalAuditSettings",
    "NotificationLogSettings",
    "PasswordSettings",
    "FileSettings",
    "EmailSettings",
    "RateLimitSettings",
    "PrivacySettings",
    "SupportSettings",
    "AnnouncementSettings",
    "ThemeSettings",
    "GitLabSettings",
    "GoogleSettings",
    "Office365Settings",
    "OpenIdSettings",
    "LdapSettings",
    "ComplianceSettings",
    "LocalizationSettings",
    "SamlSettings",
    "NativeAppSettings",
    "IntuneSettings",
    "CacheSettings",
    "ClusterSettings",
    "MetricsSettings",
    "ExperimentalSettings",
    "AnalyticsSettings",
    "WebrtcSettings",
    "ElasticsearchSettings",
    "BleveSettings",
    "DataRetentionSettings",
    "MessageExportSettings",
    "JobSettings",
    "TimezoneSettings",
    "PluginSettings",
    "DisplaySettings",
    "GuestAccountsSettings",
    "ImageProxySettings",
    "CloudSettings",
    "FeatureFlags",
    "ImportSettings",
    "ExportSettings",
    "WranglerSettings",
    "ConnectedWorkspacesSettings",
    "AccessControlSettings",
    "ContentFlaggingSettings",
    "AutoTranslationSettings",
]

# What a restricted system admin (ExperimentalSettings.RestrictSystemAdmin) cannot change, and since when.
RESTRICTABLE: Dict[str, Version] = {
    "Directory": Version(5, 10, 0),
    "ClientDirectory": Version(5, 10, 0),
    "EnableHealthCheck": Version(5, 12, 0),
    "AllowInsecureDownloadURL": Version(5, 14, 0),
    "MarketplaceURL": Version(5, 16, 0),
    "Enable": Version(5, 30, 0),
    "EnableMarketplace": Version(5, 30, 0),
    "RequirePluginSignature": Version(5, 30, 0),
    "SignaturePublicKeyFiles": Version(5, 30, 0),
    "EnableRemoteMarketplace": Version(5, 30, 0),
    "AutomaticPrepackagedPlugins": Version(5, 30, 0),
    "ChimeraOAuthProxyURL": Version(5, 30, 0),
}

# Values that GET /config shows as asterisks.
SECRETS = (
    ("SqlSettings", "DataSource"),
    ("SqlSettings", "AtRestEncryptKey"),
    ("FileSettings", "PublicLinkSalt"),
    ("FileSettings", "AmazonS3SecretAccessKey"),
    ("EmailSettings", "SMTPPassword"),
)


def _v(*numbers: int) -> Version:
    return Version(*(*numbers, 0, 0)[:3])


def defaults(version: Version) -> Config:
    """A fresh, complete configuration; generated keys are empty (see `generate_keys`)."""
    sections: Dict[str, List[_Key]] = {
        "ServiceSettings": [
            ("SiteURL", "", _FIRST),
            ("ListenAddress", ":8065", _FIRST),
            ("ConnectionSecurity", "", _FIRST),
            ("TLSCertFile", "", _FIRST),
            ("TLSKeyFile", "", _FIRST),
            ("ReadTimeout", 300, _FIRST),
            ("WriteTimeout", 300, _FIRST),
            ("MaximumLoginAttempts", 10, _FIRST),
            ("EnableUserAccessTokens", False, _FIRST),
            ("EnableDeveloper", False, _FIRST),
            ("EnableSecurityFixAlert", True, _FIRST),
            ("EnableInsecureOutgoingConnections", False, _FIRST),
            ("AllowedUntrustedInternalConnections", "", _FIRST),
            ("EnableLocalMode", False, _v(5, 24)),
            ("LocalModeSocketLocation", "/var/tmp/mattermost_local.socket", _v(5, 24)),
        ],
        "TeamSettings": [("SiteName", "Mattermost", _FIRST), ("EnableOpenServer", False, _FIRST)],
        "SqlSettings": [
            ("DriverName", "mysql" if version < (6, 0) else "postgres", _FIRST),
            ("DataSource", "mmuser:mostest@tcp(localhost:3306)/mattermost_test?charset=utf8mb4,utf8", _FIRST),
            ("DataSourceReplicas", [], _FIRST),
            ("DataSourceSearchReplicas", [], _FIRST),
            ("MaxIdleConns", 20, _FIRST),
            ("MaxOpenConns", 300, _FIRST),
            ("Trace", False, _FIRST),
            ("AtRestEncryptKey", "", _FIRST),
            ("QueryTimeout", 30, _FIRST),
        ],
        "LogSettings": [
            ("EnableConsole", True, _FIRST),
            ("ConsoleLevel", "DEBUG", _FIRST),
            ("ConsoleJson", True, _v(4, 10)),
            ("EnableFile", True, _FIRST),
            ("FileLevel", "INFO", _FIRST),
            ("FileJson", True, _v(4, 10)),
            ("FileLocation", "", _FIRST),
            ("EnableWebhookDebugging", True, _FIRST),
            ("EnableDiagnostics", True, _FIRST),
        ],
        "FileSettings": [
            ("EnableFileAttachments", True, _FIRST),
            ("MaxFileSize", 52428800 if version < (5, 33) else 104857600, _FIRST),
            ("DriverName", "local", _FIRST),
            ("Directory", "./data/", _FIRST),
            ("EnablePublicLink", False, _FIRST),
            ("PublicLinkSalt", "", _FIRST),
            ("AmazonS3SecretAccessKey", "", _FIRST),
        ],
        "EmailSettings": [
            ("SendEmailNotifications", False, _FIRST),
            ("SMTPPassword", "", _FIRST),
            ("SMTPServer", "", _FIRST),
        ],
        "AnnouncementSettings": [
            ("EnableBanner", False, _FIRST),
            ("AdminNoticesEnabled", True, _v(5, 26)),
            ("UserNoticesEnabled", True, _v(5, 26)),
        ],
        "ClusterSettings": [
            ("Enable", False, _FIRST),
            ("ClusterName", "", _FIRST),
            ("ReadOnlyConfig", True, _FIRST),
        ],
        "ExperimentalSettings": [
            ("ClientSideCertEnable", False, _v(5, 4)),
            ("RestrictSystemAdmin", False, _v(5, 10)),
        ],
        "PluginSettings": _plugin_settings(version),
        "ImportSettings": [("Directory", "./import", _v(5, 30)), ("RetentionDays", 30, _v(5, 30))],
        "ExportSettings": [("Directory", "./export", _v(5, 32)), ("RetentionDays", 30, _v(5, 32))],
    }
    return {
        name: {key: copy.deepcopy(value) for key, value, since in keys if version >= since}
        for name, keys in sections.items()
        if any(version >= since for _, _, since in keys)
    }


def _plugin_settings(version: Version) -> List[_Key]:
    renamed = version >= (6, 0)
    keys: List[_Key] = [
        ("Enable", True, _v(4, 2)),
        ("EnableUploads", False, _v(4, 4)),
        ("AllowInsecureDownloadURL" if renamed else "AllowInsecureDownloadUrl", False, _v(5, 14)),
        ("EnableHealthCheck", True, _v(5, 12)),
        ("Directory", "./plugins", _v(4, 4)),
        ("ClientDirectory", "./client/plugins", Version(4, 4, 4)),
        ("Plugins", {}, _v(4, 1)),
        ("PluginStates", {}, _v(4, 4)),
        ("EnableMarketplace", True, _v(5, 16)),
        ("EnableRemoteMarketplace", True, _v(5, 20)),
        ("AutomaticPrepackagedPlugins", True, _v(5, 20)),
        ("RequirePluginSignature", False, _v(5, 18)),
        (
            "MarketplaceURL" if renamed else "MarketplaceUrl",
            "https://api.integrations.mattermost.com",
            _v(5, 16),
        ),
        ("SignaturePublicKeyFiles", [], _v(5, 18)),
    ]
    if _v(5, 32) <= version < _v(6, 1):
        keys.append(("ChimeraOAuthProxyURL", "", _v(5, 32)))
    return keys


def seeded_states(version: Version, diagnostics: bool) -> Dict[str, bool]:
    """The plugin ids that the server itself puts into PluginStates when they are absent."""
    seeds: Dict[str, bool] = {}
    if version >= (5, 12):
        seeds["com.mattermost.nps"] = diagnostics
    if version >= (6, 0):
        seeds["playbooks"] = True
    if (6, 0) <= version < (8, 0):
        seeds["focalboard"] = True
    if (6, 4) <= version < (8, 0):
        seeds["com.mattermost.apps"] = True
    if version >= (7, 0):
        seeds["com.mattermost.calls"] = True
    if version >= (11, 0):
        seeds["mattermost-ai"] = True
    return seeds


def generate_keys(config: Config) -> None:
    """Fill the keys that a server generates at its first start."""
    alphabet = string.ascii_lowercase + string.digits
    for section, key in (("SqlSettings", "AtRestEncryptKey"), ("FileSettings", "PublicLinkSalt")):
        if not config[section][key]:
            config[section][key] = "".join(secrets.choice(alphabet) for _ in range(32))
