# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where users, tokens, teams and posts are kept: in the database that is configured, else in a file."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, Dict, List, Optional

from .gofs import clean_join
from .postgres import Postgres, PostgresError, quoted

_FILE = ".accounts.json"
_TABLE = "standin_records"
_SCHEMES = ("postgres://", "postgresql://")
Record = Dict[str, Any]


class Records:
    """Documents by kind and id."""

    def get(self, kind: str, record_id: str) -> Optional[Record]:
        raise NotImplementedError

    def put(self, kind: str, record_id: str, record: Record) -> None:
        raise NotImplementedError

    def remove(self, kind: str, record_id: str) -> None:
        raise NotImplementedError

    def all(self, kind: str) -> List[Record]:
        """In the order in which they were put there."""
        raise NotImplementedError


class FileRecords(Records):
    """Of one server alone, in a small file beside its file store."""

    def __init__(self, data_directory: str) -> None:
        self._path = clean_join(data_directory, _FILE)
        self._lock = threading.Lock()
        self._kept: Dict[str, Dict[str, Record]] = {}
        if os.path.exists(self._path):
            with open(self._path, encoding="utf-8") as stream:
                self._kept = json.load(stream)

    def get(self, kind: str, record_id: str) -> Optional[Record]:
        return self._kept.get(kind, {}).get(record_id)

    def put(self, kind: str, record_id: str, record: Record) -> None:
        with self._lock:
            self._kept.setdefault(kind, {})[record_id] = record
            self._keep()

    def remove(self, kind: str, record_id: str) -> None:
        with self._lock:
            if self._kept.get(kind, {}).pop(record_id, None) is not None:
                self._keep()

    def _keep(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(self._kept, stream)

    def all(self, kind: str) -> List[Record]:
        return list(self._kept.get(kind, {}).values())


class DatabaseRecords(Records):
    """Shared by all servers of a cluster."""

    def __init__(self, data_source: str) -> None:
        """Raises PostgresError."""
        self._database = Postgres(data_source)
        try:
            self._database.query(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} (kind text, id text, place serial, document text, "
                "PRIMARY KEY (kind, id))"
            )
        except PostgresError as error:
            # Two servers that start at once: one of them loses, and then the table is there.
            if "duplicate key" not in str(error) and "already exists" not in str(error):
                raise

    def get(self, kind: str, record_id: str) -> Optional[Record]:
        rows = self._rows(f"kind = {quoted(kind)} AND id = {quoted(record_id)}")
        return rows[0] if rows else None

    def put(self, kind: str, record_id: str, record: Record) -> None:
        values = ", ".join(quoted(text) for text in (kind, record_id, json.dumps(record)))
        self._database.query(
            f"INSERT INTO {_TABLE} (kind, id, document) VALUES ({values}) "
            "ON CONFLICT (kind, id) DO UPDATE SET document = EXCLUDED.document"
        )

    def remove(self, kind: str, record_id: str) -> None:
        self._database.query(f"DELETE FROM {_TABLE} WHERE kind = {quoted(kind)} AND id = {quoted(record_id)}")

    def all(self, kind: str) -> List[Record]:
        return self._rows(f"kind = {quoted(kind)}")

    def _rows(self, condition: str) -> List[Record]:
        rows = self._database.query(f"SELECT document FROM {_TABLE} WHERE {condition} ORDER BY place")
        return [json.loads(row[0] or "{}") for row in rows]


def open_records(data_source: str, data_directory: str) -> Records:
    """Raises PostgresError: a database is configured, and it does not answer."""
    if data_source.startswith(_SCHEMES):
        return DatabaseRecords(data_source)
    return FileRecords(data_directory)
