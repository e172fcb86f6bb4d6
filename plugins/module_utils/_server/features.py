# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers do, by version: every such fact that the collection depends on, and its source.

"What changes with the next major version?" is answered here, and in two tables of another form: the keys of
PluginSettings (``_config.plugin_settings.KEYS``, each with its first version) and the plugins that servers know without
being told (``_server.seeded_plugins``). A test holds that no other file of the collection compares versions by number.

A source names a release of the server and a file of its repository (github.com/mattermost/mattermost, up to 7.9
mattermost/mattermost-server), or the changelog at docs.mattermost.com.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._core.server_version import ServerVersion

FIRST_RELEASE = ServerVersion(4, 4)  # with plugins that can be installed


@dataclass(frozen=True)
class Feature:
    """What servers do from one version on, or until another.

    :param what: what these servers do
    :param source: where that is to be seen
    :param since: first version that does it
    :param until: first version that no longer does it; None: all later ones do it
    """

    what: str
    source: str
    since: ServerVersion = FIRST_RELEASE
    until: Optional[ServerVersion] = None

    def in_version(self, version: Optional[ServerVersion]) -> bool:
        """Whether a server of this version does it; where the version is not known, whether current servers do."""
        if version is None:
            return self.until is None
        return version >= self.since and (self.until is None or version < self.until)


# The API

ENABLE_ROUTES = Feature(
    "The routes that switch a plugin end in enable and disable; before, in activate and deactivate.",
    "v5.2.0 api4/plugin.go (InitPlugin)",
    since=ServerVersion(5, 2),
)
FAILED_PLUGINS_LISTED_AS_ACTIVE = Feature(
    "GET /plugins lists a plugin that failed to start among the active ones; its state tells.",
    "v5.2.0 and v5.14.0 plugin/environment.go (Environment.Active)",
    since=ServerVersion(5, 2),
    until=ServerVersion(5, 14),
)
FORCED_UPLOAD = Feature(
    "An upload with the field force replaces an installed plugin of the same id.",
    "v5.8.0 api4/plugin.go (uploadPlugin)",
    since=ServerVersion(5, 8),
)
CONFIG_PATCH = Feature(
    "PUT /config/patch changes single keys; before, PUT /config takes the whole configuration only.",
    "v5.20.0 api4/config.go (patchConfig)",
    since=ServerVersion(5, 20),
)
UPLOAD_LIMIT = Feature(
    "The body of an upload may have FileSettings.MaxFileSize bytes; before, only a proxy limits it.",
    "v5.21.0 web/handlers.go (Handler.ServeHTTP)",
    since=ServerVersion(5, 21),
)
UPLOAD_LIMIT_OF_100_MIB = Feature(
    "FileSettings.MaxFileSize is 100 MiB by default; before, 50 MiB.",
    "v5.33.0 model/config.go (FileSettings.SetDefaults)",
    since=ServerVersion(5, 33),
)
LOCAL_MODE = Feature(
    "The server answers on a local socket without a session, where ServiceSettings.EnableLocalMode is true.",
    "v5.24.0 app/server.go (startLocalModeServer)",
    since=ServerVersion(5, 24),
)
RELOAD_BY_SOCKET = Feature(
    "POST /config/reload on the local socket makes the server read its configuration again.",
    "v6.0.0 api4/config_local.go",
    since=ServerVersion(6, 0),
)

# The configuration

MM_CONFIG = Feature(
    "The variable MM_CONFIG names the configuration, a file or a database; the option -c wins over it.",
    "changelog of v5.10, configuration in the database",
    since=ServerVersion(5, 10),
)
CONFIG_BESIDE_EXECUTABLE = Feature(
    "A configuration file without a leading slash is searched around the executable too; before, around the working "
    "directory only.",
    "v5.8.0 utils/fileutils/fileutils.go (FindPath), v5.7.0 utils/config.go",
    since=ServerVersion(5, 8),
)
OVERRIDES = Feature(
    "Variables MM_PLUGINSETTINGS_… override PluginSettings; before, the server read this section from the file again "
    "after it had applied the environment.",
    "v5.1.0 and v5.2.0 utils/config.go",
    since=ServerVersion(5, 2),
)
OVERRIDES_OF_MAPS = Feature(
    "MM_PLUGINSETTINGS_PLUGINSTATES and …_PLUGINS hold JSON that replaces the whole map; before, they are ignored.",
    "v7.5.0 config/environment.go, pull request 20660",
    since=ServerVersion(7, 5),
)
FILE_WATCHED = Feature(
    "The running server notices a change of its configuration file by itself.",
    "changelog of v5.38; v5.36.1 config/watcher.go, which v6.0.0 no longer has",
    until=ServerVersion(5, 38),
)
UPLOADS_SWITCH_LOCKED_IN_REST_API = Feature(
    "EnableUploads cannot be changed through the REST API: to 5.32 the server ignores that, later it answers 403.",
    "v4.8.0 and v5.33.0 api4/config.go (updateConfig, patchConfig)",
    since=ServerVersion(4, 8),
)
UPLOADS_SWITCH_BY_SOCKET = Feature(
    "EnableUploads can be changed by a patch through the local socket; before, the server ignores that.",
    "v5.33.0 api4/config_local.go (localPatchConfig)",
    since=ServerVersion(5, 33),
)
MORE_KEYS_RESTRICTED = Feature(
    "With RestrictSystemAdmin (5.10 and later) the REST API keeps all keys of PluginSettings but the maps; before, "
    "those of a few keys that the configuration model marks.",
    "v5.30.0 model/config.go (PluginSettings, tag access)",
    since=ServerVersion(5, 30),
)
PLUGIN_SETTINGS_HIDDEN = Feature(
    "GET /config masks secrets of plugins (seen from 10.1) and leaves the settings of plugins out that are not "
    "installed (seen in 11.2; the first version is not known, so that all of 10 are taken for such).",
    "changelog of v10.1; v11.2.0 model/config.go (PluginSettings.Sanitize)",
    since=ServerVersion(10, 0),
)

# Plugins and their manifests

ID_AT_MOST_190 = Feature(
    "The id of a plugin may have 190 characters.",
    "v4.5.0 app/plugin.go (installPlugin)",
    since=ServerVersion(4, 5),
)
ID_AT_LEAST_3 = Feature(
    "The id of a plugin must have 3 characters.",
    "v4.10.0 plugin/valid.go",
    since=ServerVersion(4, 10),
)
ID_PATTERN = Feature(
    "The id of a plugin holds letters, digits, dots, hyphens and underscores only, and is read in lower case.",
    "v5.2.0 plugin/valid.go, model/manifest.go",
    since=ServerVersion(5, 2),
)
MIN_SERVER_VERSION = Feature(
    "A plugin does not start on a server that is older than the min_server_version of its manifest.",
    "v5.6.0 plugin/environment.go (Environment.Activate)",
    since=ServerVersion(5, 6),
)
EMBEDDED_PLUGINS = Feature(
    "The server's binary holds the plugins jira and zoom and unpacks them at every start, over any others.",
    "v4.6.0 app/plugin.go (InitPlugins)",
    since=ServerVersion(4, 5),
    until=ServerVersion(5, 2),
)

# Where plugins come from when a server starts

PREPACKAGED = Feature(
    "The server installs plugins from the folder prepackaged_plugins.",
    "v5.2.0 app/plugin.go (InitPlugins)",
    since=ServerVersion(5, 2),
)
PREPACKAGED_ONLY_IF_NEWER = Feature(
    "Of the prepackaged plugins only enabled ones are installed, where AutomaticPrepackagedPlugins is true and nothing "
    "as new is installed; before, all of them at every start.",
    "v5.20.0 app/plugin.go (processPrepackagedPlugin)",
    since=ServerVersion(5, 20),
)
PREPACKAGED_ONLY_SIGNED = Feature(
    "Only prepackaged plugins with a valid signature (.sig) are installed.",
    "changelog of v10.11; v10.11.0 server/channels/app/plugin.go (buildPrepackagedPlugin)",
    since=ServerVersion(10, 11),
)
FILESTORE = Feature(
    "The server stores each uploaded bundle in its filestore and installs all stored bundles at every start.",
    "v5.14.0 app/plugin.go (SyncPlugins), pull request 11657",
    since=ServerVersion(5, 14),
)
MANAGED_MARKER = Feature(
    "The server marks a plugin that it installed itself with a file .filestore, and at its start leaves those without "
    "it alone.",
    "v5.14.0 app/plugin.go (SyncPlugins); without it v11.0.0, pull request 30019",
    since=ServerVersion(5, 14),
    until=ServerVersion(11, 0),
)
UNPACKED_UNSUPPORTED = Feature(
    "Plugins that were unpacked by hand run, and are documented as unsupported.",
    "documentation of v10.5 at docs.mattermost.com, manual plugin deployment",
    since=ServerVersion(10, 5),
)
UNPACKED_DELETED = Feature(
    "At its start the server deletes every plugin that it did not install itself.",
    "changelog of v11.0, pull request 30019",
    since=ServerVersion(11, 0),
)
SIGNATURES = Feature(
    "RequirePluginSignature and SignaturePublicKeyFiles are in effect: with the first the server takes no uploads, and "
    "from its filestore signed bundles only.",
    "v5.18.0 app/plugin_signature.go, api4/plugin.go (uploadPlugin)",
    since=ServerVersion(5, 18),
)
