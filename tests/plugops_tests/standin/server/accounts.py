# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, sessions and access tokens."""

from __future__ import annotations

import secrets
import threading
from typing import Any, Dict, Optional

from .errors import AppError
from .records import Records

_USER, _SESSION, _ACCESS_TOKEN = "user", "session", "access token"


class Accounts:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()

    def create(self, fields: Dict[str, Any]) -> Dict[str, Any]:
        """A new user; the first one becomes system admin."""
        with self._lock:
            for key in ("username", "email", "password"):
                if not fields.get(key):
                    raise AppError("CreateUser", "model.user.is_valid.app_error", f"Invalid user: {key}.", 400)
            users = self._records.all(_USER)
            if any(user["username"] == fields["username"] for user in users):
                message = "An account with that username already exists."
                raise AppError("CreateUser", "app.user.save.username_exists.app_error", message, 400)
            user = {
                "id": secrets.token_hex(13),
                "username": fields["username"],
                "email": fields["email"],
                "password": fields["password"],
                "roles": "system_user" if users else "system_admin system_user",
            }
            self._records.put(_USER, user["id"], user)
            return _public(user)

    def is_empty(self) -> bool:
        return not self._records.all(_USER)

    def login(self, login_id: str, password: str) -> Optional[str]:
        """A session token, or None."""
        for user in self._records.all(_USER):
            if login_id in (user["username"], user["email"]) and password == user["password"]:
                token = secrets.token_hex(13)
                self._records.put(_SESSION, token, {"user_id": user["id"]})
                return token
        return None

    def logout(self, token: str) -> None:
        self._records.remove(_SESSION, token)

    def user_of(self, token: str, access_tokens: bool) -> Optional[Dict[str, Any]]:
        """access_tokens: whether those count, besides sessions."""
        if not token:
            return None
        found = self._records.get(_SESSION, token)
        if found is None and access_tokens:
            found = self._records.get(_ACCESS_TOKEN, token)
        return self.get(found["user_id"]) if found else None

    def get(self, user_id: str) -> Optional[Dict[str, Any]]:
        user = self._records.get(_USER, user_id)
        return _public(user) if user else None

    def set_roles(self, user_id: str, roles: str) -> bool:
        with self._lock:
            user = self._records.get(_USER, user_id)
            if user is None:
                return False
            self._records.put(_USER, user_id, {**user, "roles": roles})
            return True

    def access_token(self, user_id: str) -> Dict[str, str]:
        made = {"id": secrets.token_hex(13), "user_id": user_id, "token": secrets.token_hex(13)}
        self._records.put(_ACCESS_TOKEN, made["token"], made)
        return made

    def revoke(self, token_id: str) -> bool:
        """False if there is no access token of that id."""
        found = [made["token"] for made in self._records.all(_ACCESS_TOKEN) if made["id"] == token_id]
        for token in found:
            self._records.remove(_ACCESS_TOKEN, token)
        return bool(found)


def _public(user: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in user.items() if key != "password"}
