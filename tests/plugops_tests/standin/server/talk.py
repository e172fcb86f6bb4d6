# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teams, their one channel, and posts: enough for a test session."""

from __future__ import annotations

import secrets
from typing import Any, Dict, List

from .errors import AppError
from .records import Record, Records

_TEAM, _CHANNEL, _POST = "team", "channel", "post"
_OPEN_CHANNEL = "town-square"


class Talk:
    def __init__(self, records: Records) -> None:
        self._records = records

    def create_team(self, fields: Dict[str, Any]) -> Record:
        """With the channel that every team has."""
        for key in ("name", "display_name", "type"):
            if not fields.get(key):
                raise AppError("CreateTeam", "model.team.is_valid.name.app_error", f"Invalid {key}.", 400)
        if any(team["name"] == fields["name"] for team in self._records.all(_TEAM)):
            message = "A team with that name already exists."
            raise AppError("CreateTeam", "app.team.save.existing.app_error", message, 400)
        team = {"id": secrets.token_hex(13), **{key: fields[key] for key in ("name", "display_name", "type")}}
        self._records.put(_TEAM, team["id"], team)
        channel = {"id": secrets.token_hex(13), "team_id": team["id"], "name": _OPEN_CHANNEL}
        self._records.put(_CHANNEL, channel["id"], channel)
        return team

    def channel(self, team_id: str, name: str) -> Record:
        for channel in self._records.all(_CHANNEL):
            if (channel["team_id"], channel["name"]) == (team_id, name):
                return channel
        raise AppError("GetChannelByName", "app.channel.get_by_name.missing.app_error", "Channel does not exist.", 404)

    def create_post(self, user_id: str, fields: Dict[str, Any]) -> Record:
        channel_id = str(fields.get("channel_id", ""))
        if self._records.get(_CHANNEL, channel_id) is None:
            message = "You do not have the appropriate permissions."
            raise AppError("", "api.context.permissions.app_error", message, 403)
        post = {
            "id": secrets.token_hex(13),
            "user_id": user_id,
            "channel_id": channel_id,
            "message": str(fields.get("message", "")),
        }
        self._records.put(_POST, post["id"], post)
        return post

    def posts(self, channel_id: str) -> Dict[str, Any]:
        """As servers list them: the newest first."""
        found: List[Record] = [post for post in self._records.all(_POST) if post["channel_id"] == channel_id]
        return {"order": [post["id"] for post in reversed(found)], "posts": {post["id"]: post for post in found}}
