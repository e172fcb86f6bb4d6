# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes under /api/v4: which exist in this version, who may call them, what they answer."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import secrets
from typing import Any, Callable, Dict, List, Match, NamedTuple, Optional, Pattern

from .accounts import Accounts
from .config_defaults import RESTRICTABLE, SECRETS, Config
from .config_store import ConfigError, ConfigStore, ReadOnlyConfigError, merge
from .errors import AppError
from .gofs import GoError
from .http_server import Answer, Request
from .logs import Log
from .manifest import Manifest
from .plugins import PluginSystem
from .talk import Talk
from .versions import Traits

MASK = "********************************"
OK = {"status": "OK"}
_ID = r"([A-Za-z0-9\-_.]+)"
_PUBLIC, _SESSION, _ADMIN = "public", "session", "admin"


class Call(NamedTuple):
    """A request that found its route."""

    request: Request
    match: Match[str]
    user: Optional[Dict[str, Any]]

    def json(self) -> Any:
        try:
            return self.request.json()
        except ValueError as error:
            raise _invalid_body() from error


class Route(NamedTuple):
    method: str
    pattern: Pattern[str]
    handler: Callable[[Call], Answer]
    needs: str
    local: bool
    remote: bool


class Api:
    def __init__(
        self,
        traits: Traits,
        config: ConfigStore,
        plugins: PluginSystem,
        accounts: Accounts,
        talk: Talk,
        log: Log,
        reload_config: Callable[[], None],
    ) -> None:
        self._traits = traits
        self._config = config
        self._plugins = plugins
        self._accounts = accounts
        self._talk = talk
        self._log = log
        self._reload_config = reload_config
        self._client_directory = config.effective["PluginSettings"]["ClientDirectory"]
        self._routes = self._make_routes()

    def _make_routes(self) -> List[Route]:
        traits = self._traits
        routes: List[Route] = []

        def add(
            method: str,
            path: str,
            handler: Callable[[Call], Answer],
            needs: str = _ADMIN,
            *,
            local: bool = True,
            remote: bool = True,
            exists: bool = True,
        ) -> None:
            if exists:
                routes.append(Route(method, re.compile(f"/api/v4{path}\\Z"), handler, needs, local, remote))

        add("GET", "/system/ping", lambda call: Answer.of(OK), _PUBLIC)
        add("GET", "/config", self._get_config)
        add("PUT", "/config", self._put_config)
        add("PUT", "/config/patch", self._patch_config, exists=traits.patch_route)
        add("GET", "/config/environment", self._get_environment, local=False, exists=traits.environment_route)
        add("POST", "/config/reload", self._post_reload, local=traits.socket_reload)
        add("GET", "/plugins", self._list_plugins)
        add("POST", "/plugins", self._upload)
        add("POST", "/plugins/install_from_url", self._install_from_url, exists=traits.install_from_url)
        add("GET", "/plugins/statuses", self._statuses, local=False, exists=traits.statuses_route)
        add("GET", "/plugins/webapp", self._webapp, _PUBLIC, local=False)
        add("DELETE", f"/plugins/{_ID}", self._remove)
        add("POST", f"/plugins/{_ID}/{traits.enable_word}", self._enable)
        add("POST", f"/plugins/{_ID}/{traits.disable_word}", self._disable)
        add("POST", "/users", self._create_user, _PUBLIC)
        add("POST", "/users/login", self._login, _PUBLIC, local=False)
        add("POST", "/users/logout", self._logout, _PUBLIC, local=False)
        add("POST", "/users/tokens/revoke", self._revoke_token, _SESSION, local=False)
        add("GET", "/users/me", lambda call: Answer.of(call.user), _SESSION, local=False)
        add("PUT", f"/users/{_ID}/roles", self._set_roles)
        add("POST", f"/users/{_ID}/tokens", self._access_token, _SESSION, local=False)
        add("POST", "/teams", self._create_team, _SESSION, local=False)
        add("GET", f"/teams/{_ID}/channels/name/{_ID}", self._channel, _SESSION, local=False)
        add("POST", "/posts", self._create_post, _SESSION, local=False)
        add("GET", f"/channels/{_ID}/posts", self._posts, _SESSION, local=False)
        return routes

    # -- entry ----------------------------------------------------------------------------------------------------

    def dispatch(self, request: Request) -> Answer:
        try:
            answer = self._answer(request)
        except AppError as error:
            answer = self._error(request, error)
        digest = hashlib.md5(repr(self._config.base).encode()).hexdigest()
        version = str(self._traits.version)
        answer.headers.setdefault("X-Version-Id", f"{version}.{version}.{digest}.false")
        return answer

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/static/plugins/") and not request.local:
            return self._static(request.path)
        for route in self._routes:
            reachable = route.local if request.local else route.remote
            match = route.pattern.match(request.path) if reachable and route.method == request.method else None
            if match is not None:
                return route.handler(Call(request, match, self._authorise(request, route)))
        raise AppError("", "api.context.404.app_error", "Sorry, we could not find the page.", 404)

    def _authorise(self, request: Request, route: Route) -> Optional[Dict[str, Any]]:
        access_tokens = bool(self._config.effective["ServiceSettings"]["EnableUserAccessTokens"])
        user = self._accounts.user_of(_token(request), access_tokens)
        if request.local or route.needs == _PUBLIC:
            return user
        if user is None:
            message = "Invalid or expired session, please login again."
            raise AppError("", "api.context.session_expired.app_error", message, 401)
        if route.needs == _ADMIN and "system_admin" not in user["roles"].split():
            message = "You do not have the appropriate permissions."
            raise AppError("", "api.context.permissions.app_error", message, 403)
        return user

    def _error(self, request: Request, error: AppError) -> Answer:
        write = self._log.error if error.status >= 500 else self._log.debug
        if self._traits.text_log:
            rest = f"code={error.status} {error.message} [details: {error.detail}]"
            write(f"{request.path}:{error.where} {rest}")
        else:
            write(
                error.message,
                path=request.path,
                method=request.method,
                err_where=error.where,
                http_code=error.status,
                err_details=error.detail,
            )
        developer = self._config.effective["ServiceSettings"]["EnableDeveloper"]
        return Answer.of(
            {
                "id": error.error_id,
                "message": error.message,
                "detailed_error": error.detail if developer else "",
                "request_id": secrets.token_hex(13),
                "status_code": error.status,
            },
            error.status,
        )

    # -- configuration --------------------------------------------------------------------------------------------

    def _get_config(self, call: Call) -> Answer:
        shown = copy.deepcopy(self._config.effective)
        for section, key in SECRETS:
            if shown[section].get(key):
                shown[section][key] = MASK
        settings = shown["PluginSettings"]
        manifests = self._installed_manifests()
        if self._traits.drops_settings_of_missing_plugins:
            settings["Plugins"] = {key: value for key, value in settings["Plugins"].items() if key in manifests}
        if self._traits.masks_secret_settings:
            for plugin_id, values in settings["Plugins"].items():
                for key in _secret_keys(manifests.get(plugin_id, {})) & {name.lower() for name in values}:
                    settings["Plugins"][plugin_id] = {
                        name: MASK if name.lower() == key and value else value for name, value in values.items()
                    }
                    values = settings["Plugins"][plugin_id]
        return Answer.of(shown)

    def _installed_manifests(self) -> Dict[str, Manifest]:
        environment = self._plugins.environment
        try:
            return {bundle.manifest["id"]: bundle.manifest for bundle in environment.available()} if environment else {}
        except GoError:
            return {}

    def _put_config(self, call: Call) -> Answer:
        try:
            wanted = self._config.complete(call.json())
        except ConfigError as error:
            raise _invalid_body(str(error)) from error
        kept = {"SignaturePublicKeyFiles"}
        if call.request.local:
            uploads_kept = self._traits.keeps_uploads_by_socket_put
        else:
            uploads_kept = self._traits.keeps_uploads_by_rest_put
            kept |= self._restricted()
        if uploads_kept:
            kept.add("EnableUploads")
        self._keep(wanted, kept)
        return self._save(wanted)

    def _patch_config(self, call: Call) -> Answer:
        try:
            patch = self._config.normalized_patch(call.json())
        except ConfigError as error:
            raise _invalid_body(str(error)) from error
        uploads = patch.get("PluginSettings", {}).get("EnableUploads")
        kept = set()
        if call.request.local:
            if self._traits.keeps_uploads_by_socket_patch:
                kept.add("EnableUploads")
        else:
            kept |= self._restricted() | {"EnableUploads"}
            different = uploads is not None and uploads != self._plugins.settings["EnableUploads"]
            if different and self._traits.refuses_uploads_by_rest_patch:
                message = "Changing PluginSettings.EnableUploads is not allowed due to security reasons."
                raise AppError("patchConfig", "api.config.update_config.not_allowed_security.app_error", message, 403)
        wanted = merge(self._config.effective, patch, self._traits.ignores_empty_plugins_in_patch)
        self._keep(wanted, kept)
        return self._save(wanted)

    def _restricted(self) -> set[str]:
        if not self._traits.restrict_system_admin:
            return set()
        if not self._config.effective["ExperimentalSettings"]["RestrictSystemAdmin"]:
            return set()
        names = {key.lower() for key, since in RESTRICTABLE.items() if self._traits.version >= since}
        return {key for key in self._plugins.settings if key.lower() in names}

    def _keep(self, wanted: Config, keys: set[str]) -> None:
        """Silently leave keys as they are, and put the real secrets back where the client sent asterisks."""
        for key in keys & set(self._plugins.settings):
            wanted["PluginSettings"][key] = self._plugins.settings[key]
        for section, key in SECRETS:
            if wanted.get(section, {}).get(key) == MASK:
                wanted[section][key] = self._config.effective[section][key]

    def _save(self, wanted: Config) -> Answer:
        try:
            self._config.set(wanted)
        except ReadOnlyConfigError as error:
            message = "System Console is set to read-only when High Availability is enabled unless ReadOnlyConfig "
            message += "is disabled in the configuration file."
            raise AppError("saveConfig", "ent.cluster.save_config.error", message, 403) from error
        except ConfigError as error:
            message = "An error occurred saving the configuration."
            raise AppError("saveConfig", "app.save_config.app_error", message, 500, str(error)) from error
        return self._get_config_answer()

    def _get_config_answer(self) -> Answer:
        shown = copy.deepcopy(self._config.effective)
        for section, key in SECRETS:
            if shown[section].get(key):
                shown[section][key] = MASK
        return Answer.of(shown)

    def _get_environment(self, call: Call) -> Answer:
        found: Dict[str, Dict[str, bool]] = {}
        for section, key in sorted(self._config.overridden):
            found.setdefault(section, {})[key] = True
        return Answer.of(found)

    def _post_reload(self, call: Call) -> Answer:
        restricted = self._traits.restrict_system_admin and not call.request.local
        if restricted and self._config.effective["ExperimentalSettings"]["RestrictSystemAdmin"]:
            if self._traits.restriction_is_a_permission:
                message = "You do not have the appropriate permissions."
                raise AppError("configReload", "api.context.permissions.app_error", message, 403)
            message = "Restricted system admin."
            raise AppError("configReload", "api.restricted_system_admin", message, 400)
        try:
            self._reload_config()
        except ConfigError as error:
            raise AppError("configReload", "api.config.reload_config.app_error", str(error), 500) from error
        return Answer.of(OK)

    # -- plugins --------------------------------------------------------------------------------------------------

    def _list_plugins(self, call: Call) -> Answer:
        environment = self._plugins.require_environment("GetPlugins")
        try:
            available = environment.available()
        except GoError as error:
            message = "Unable to get active plugins."
            raise AppError("GetPlugins", "app.plugin.get_plugins.app_error", message, 500, str(error)) from error
        found: Dict[str, List[Manifest]] = {"active": [], "inactive": []}
        for bundle in available:
            found["active" if environment.is_listed_as_active(bundle.manifest["id"]) else "inactive"].append(
                bundle.manifest
            )
        return Answer.of(found)

    def _upload(self, call: Call) -> Answer:
        settings = self._plugins.settings
        if not settings["Enable"] or not settings["EnableUploads"] or self._signatures_rule():
            message = "Plugins and/or plugin uploads have been disabled."
            raise AppError("uploadPlugin", "app.plugin.upload_disabled.app_error", message, 501)
        limit = self._config.effective["FileSettings"]["MaxFileSize"]
        if self._traits.limits_upload_size and len(call.request.body) > limit:
            if not self._traits.own_upload_size_error:
                return Answer(400, b"http: request body too large\n", {"Content-Type": "text/plain; charset=utf-8"})
            message = "Uploaded plugin size exceeds limit. This limit can be changed in the System Console via "
            message += "File Storage > Maximum File Size"
            raise AppError("uploadPlugin", "api.plugin.upload.file_too_large.app_error", message, 413)
        try:
            form = call.request.form()
        except ValueError as error:
            raise AppError("uploadPlugin", "api.plugin.upload.no_file.app_error", str(error), 400) from error
        if "plugin" not in form:
            message = "Missing file in multipart/form request."
            raise AppError("uploadPlugin", "api.plugin.upload.no_file.app_error", message, 400)
        force = self._traits.force_field and form.get("force") == b"true"
        return Answer.of(self._plugins.install(form["plugin"], force), 201)

    def _signatures_rule(self) -> bool:
        return self._traits.upload_needs_no_signature_rule and bool(self._plugins.settings["RequirePluginSignature"])

    def _install_from_url(self, call: Call) -> Answer:
        import urllib.request  # seldom used, and a sixth of the time to start

        settings = self._plugins.settings
        if not settings["Enable"] or not settings["EnableUploads"] or self._signatures_rule():
            message = "Plugins have been disabled. Please check your logs for details."
            raise AppError("installPluginFromUrl", "app.plugin.disabled.app_error", message, 501)
        url = call.request.query.get("plugin_download_url", "")
        insecure = any(value for key, value in settings.items() if key.lower() == "allowinsecuredownloadurl")
        if not url.startswith("https://") and not (insecure and url.startswith("http://")):
            message = "The URL is not valid or not allowed."
            raise AppError("installPluginFromUrl", "api.plugin.install.download_failed.app_error", message, 400)
        try:
            with urllib.request.urlopen(url, timeout=30) as stream:
                content = stream.read()
        except OSError as error:
            message = "An error occurred while downloading the plugin."
            failed = "api.plugin.install.download_failed.app_error"
            raise AppError("installPluginFromUrl", failed, message, 400, str(error)) from error
        return Answer.of(self._plugins.install(content, call.request.query.get("force") == "true"), 201)

    def _statuses(self, call: Call) -> Answer:
        environment = self._plugins.require_environment("GetPluginStatuses")
        try:
            return Answer.of(environment.statuses())
        except GoError as error:
            message = "Unable to get plugin statuses."
            raise AppError(
                "GetPluginStatuses", "app.plugin.get_statuses.app_error", message, 500, str(error)
            ) from error

    def _webapp(self, call: Call) -> Answer:
        environment = self._plugins.require_environment("GetActivePluginManifests")
        hidden = ("name", "description", "server", "backend")
        return Answer.of(
            [
                {key: value for key, value in manifest.items() if key not in hidden}
                for manifest in environment.running_manifests()
                if manifest.get("webapp")
            ]
        )

    def _plugin_id(self, call: Call) -> str:
        plugin_id = call.match.group(1)
        return plugin_id.lower() if self._traits.lower_cases_ids else plugin_id

    def _remove(self, call: Call) -> Answer:
        self._plugins.remove(self._plugin_id(call))
        return Answer.of(OK)

    def _enable(self, call: Call) -> Answer:
        self._plugins.enable(self._plugin_id(call))
        return Answer.of(OK)

    def _disable(self, call: Call) -> Answer:
        self._plugins.disable(self._plugin_id(call))
        return Answer.of(OK)

    def _static(self, path: str) -> Answer:
        """What the browser loads; bound at start to the client directory of that moment."""
        root = os.path.realpath(self._client_directory)
        wanted = os.path.realpath(os.path.join(root, path[len("/static/plugins/") :]))
        if not wanted.startswith(root + "/") or not os.path.isfile(wanted):
            raise AppError("", "api.context.404.app_error", "Sorry, we could not find the page.", 404)
        with open(wanted, "rb") as stream:
            return Answer(200, stream.read(), {"Content-Type": "application/javascript"})

    # -- users ----------------------------------------------------------------------------------------------------

    def _create_user(self, call: Call) -> Answer:
        is_admin = call.user is not None and "system_admin" in call.user["roles"].split()
        is_open = self._config.effective["TeamSettings"]["EnableOpenServer"] or self._accounts.is_empty()
        if not (call.request.local or is_admin or is_open):
            message = "This server does not allow open signups. Please speak with your Administrator."
            raise AppError("CreateUser", "api.user.create_user.no_open_server", message, 403)
        return Answer.of(self._accounts.create(call.json()), 201)

    def _login(self, call: Call) -> Answer:
        body = call.json()
        token = self._accounts.login(str(body.get("login_id", "")), str(body.get("password", "")))
        if token is None:
            if not self._traits.masks_login_errors:
                message = "Login failed because of invalid password."
                raise AppError("login", "api.user.check_user_password.invalid.app_error", message, 401)
            message = "Enter a valid email or username and/or password."
            raise AppError("login", "api.user.login.invalid_credentials_email_username", message, 401)
        return Answer.of(self._accounts.user_of(token, False), 200, {"Token": token})

    def _logout(self, call: Call) -> Answer:
        self._accounts.logout(_token(call.request))
        return Answer.of(OK)

    def _revoke_token(self, call: Call) -> Answer:
        if not self._accounts.revoke(str(call.json().get("token_id", ""))):
            message = "Unable to find the token."
            raise AppError("revokeUserAccessToken", "app.user_access_token.get_by_user.app_error", message, 404)
        return Answer.of(OK)

    def _set_roles(self, call: Call) -> Answer:
        if not self._accounts.set_roles(call.match.group(1), str(call.json().get("roles", ""))):
            raise AppError("updateUserRoles", "app.user.missing_account.const", "Unable to find the user.", 404)
        return Answer.of(OK)

    def _access_token(self, call: Call) -> Answer:
        if not self._config.effective["ServiceSettings"]["EnableUserAccessTokens"]:
            message = (
                "Personal access tokens are disabled on this server. Please contact your administrator for details."
            )
            raise AppError("createUserAccessToken", "app.user_access_token.disabled", message, 501)
        body = call.json()
        if not body.get("description"):
            raise _invalid_body("description")
        return Answer.of({**self._accounts.access_token(call.match.group(1)), **body}, 201)

    # -- talk -----------------------------------------------------------------------------------------------------

    def _create_team(self, call: Call) -> Answer:
        return Answer.of(self._talk.create_team(call.json()), 201)

    def _channel(self, call: Call) -> Answer:
        return Answer.of(self._talk.channel(call.match.group(1), call.match.group(2)))

    def _create_post(self, call: Call) -> Answer:
        return Answer.of(self._talk.create_post((call.user or {})["id"], call.json()), 201)

    def _posts(self, call: Call) -> Answer:
        return Answer.of(self._talk.posts(call.match.group(1)))


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() in ("bearer", "token") else ""


def _invalid_body(detail: str = "") -> AppError:
    message = "Invalid or missing value in request body."
    return AppError("", "api.context.invalid_body_param.app_error", message, 400, detail)


def _secret_keys(manifest: Manifest) -> set[str]:
    schema = manifest.get("settings_schema") or {}
    return {str(item.get("key", "")).lower() for item in schema.get("settings", []) if item.get("secret")}
