"""Users, sessions and access tokens: in a small file beside the file store, since there is no database."""

from __future__ import annotations

import json
import os
import secrets
import threading
from typing import Any, Dict, Optional

from .errors import AppError
from .gofs import clean_join

_FILE = ".accounts.json"


class Accounts:
    def __init__(self, data_directory: str) -> None:
        self._path = clean_join(data_directory, _FILE)
        self._lock = threading.Lock()
        self._users: Dict[str, Dict[str, Any]] = {}
        self._tokens: Dict[str, str] = {}
        if os.path.exists(self._path):
            with open(self._path, encoding="utf-8") as stream:
                kept = json.load(stream)
            self._users, self._tokens = kept["users"], kept["tokens"]

    def create(self, fields: Dict[str, Any]) -> Dict[str, Any]:
        """A new user; the first one becomes system admin."""
        with self._lock:
            for key in ("username", "email", "password"):
                if not fields.get(key):
                    raise AppError("CreateUser", "model.user.is_valid.app_error", f"Invalid user: {key}.", 400)
            if any(user["username"] == fields["username"] for user in self._users.values()):
                message = "An account with that username already exists."
                raise AppError("CreateUser", "app.user.save.username_exists.app_error", message, 400)
            user = {
                "id": secrets.token_hex(13),
                "username": fields["username"],
                "email": fields["email"],
                "password": fields["password"],
                "roles": "system_user" if self._users else "system_admin system_user",
            }
            self._users[user["id"]] = user
            self._keep()
            return _public(user)

    def is_empty(self) -> bool:
        return not self._users

    def login(self, login_id: str, password: str) -> Optional[str]:
        """A session token, or None."""
        with self._lock:
            for user in self._users.values():
                if login_id in (user["username"], user["email"]) and password == user["password"]:
                    return self._new_token(user["id"])
        return None

    def logout(self, token: str) -> None:
        with self._lock:
            if self._tokens.pop(token, None) is not None:
                self._keep()

    def user_of(self, token: str) -> Optional[Dict[str, Any]]:
        user = self._users.get(self._tokens.get(token, ""))
        return _public(user) if user else None

    def get(self, user_id: str) -> Optional[Dict[str, Any]]:
        user = self._users.get(user_id)
        return _public(user) if user else None

    def set_roles(self, user_id: str, roles: str) -> bool:
        with self._lock:
            if user_id not in self._users:
                return False
            self._users[user_id]["roles"] = roles
            self._keep()
            return True

    def access_token(self, user_id: str) -> str:
        with self._lock:
            return self._new_token(user_id)

    def _new_token(self, user_id: str) -> str:
        token = secrets.token_hex(13)
        self._tokens[token] = user_id
        self._keep()
        return token

    def _keep(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"users": self._users, "tokens": self._tokens}, stream)


def _public(user: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in user.items() if key != "password"}
