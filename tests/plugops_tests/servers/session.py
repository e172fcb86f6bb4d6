# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test session against a Mattermost cluster: log in, post, read, list the plugins. By the URL that a user has."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple


def read_result(kept: Path) -> Dict[str, Any]:
    """What the role test_cluster has left on the controller."""
    document = json.loads((kept / "result.json").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True)
class Session:
    """A user who is logged in.

    :param url: of the load balancer, or of one app server
    """

    url: str
    token: str

    @classmethod
    def log_in(cls, url: str, username: str, password: str) -> Session:
        body = {"login_id": username, "password": password}
        _, headers = _exchange(url, "POST", "/users/login", body, "")
        return cls(url, headers["Token"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return _exchange(self.url, method, path, body, self.token)[0]

    def me(self) -> Dict[str, Any]:
        found = self.ask("GET", "/users/me")
        assert isinstance(found, dict)
        return found

    def channel(self, team: str) -> str:
        """A new team; the id of the channel that every team has."""
        made = self.ask("POST", "/teams", {"name": team, "display_name": team, "type": "O"})
        return str(self.ask("GET", f"/teams/{made['id']}/channels/name/town-square")["id"])

    def post(self, channel_id: str, message: str) -> None:
        self.ask("POST", "/posts", {"channel_id": channel_id, "message": message})

    def messages(self, channel_id: str) -> List[str]:
        return [post["message"] for post in self.ask("GET", f"/channels/{channel_id}/posts")["posts"].values()]

    def running_plugins(self) -> Dict[str, str]:
        return {item["id"]: item["version"] for item in self.ask("GET", "/plugins")["active"]}


def _exchange(url: str, method: str, path: str, body: Any, token: str) -> Tuple[Any, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/api/v4{path}", data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the machine has no part in it
    try:
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path} at {url}: {error.code} {error.read()[:500]!r}") from error
