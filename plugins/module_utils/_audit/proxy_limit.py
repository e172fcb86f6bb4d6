# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a request that an nginx on this host lets through, as its configuration says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional

from .._core.errors import OperatorError
from .._host.reading import read_text
from .._host.root import Root

_FILES = ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*")
_TOKEN = re.compile(r"#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|[^\s{};]+")
_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DEFAULT = 1024**2
_DEFAULT_PORT = "8065"


@dataclass(frozen=True)
class ProxyLimit:
    """The largest request that a proxy passes on.

    :param size: bytes; 0: no limit
    :param where: host path of the file that decides
    """

    size: int
    where: str


def proxy_limit(root: Root) -> Optional[ProxyLimit]:
    """The limit of a proxy on this host for the Mattermost server; None where nginx is not its proxy.

    A file that passes requests on and sets no limit has nginx's own, 1 MiB, or that of nginx.conf. Of several limits in
    one file the largest counts: the smaller ones are other locations'.
    """
    texts = [(path, text) for path in _paths(root) for text in [_read(root, path)] if text]
    outer = next((size for path, text in texts if path == _FILES[0] for size in _limits(text)), None)
    for path, text in texts:
        if "proxy_pass" not in text or not ("mattermost" in text.lower() or f":{_DEFAULT_PORT}" in text):
            continue
        limits = _limits(text)
        size = 0 if 0 in limits else max(limits) if limits else _DEFAULT if outer is None else outer
        return ProxyLimit(size, path)
    return None


def _paths(root: Root) -> List[str]:
    return [path for pattern in _FILES for path in root.matching(pattern)]


def _read(root: Root, path: str) -> str:
    try:
        return read_text(root.real(root.resolve(path)))
    except (OSError, OperatorError):
        return ""


def _limits(text: str) -> List[int]:
    words = [token for token in _TOKEN.findall(text) if not token.startswith("#")]
    found = []
    for name, value in zip(words, words[1:]):
        match = _SIZE.fullmatch(value)
        if name == "client_max_body_size" and match:
            found.append(int(match.group(1)) * _UNITS[match.group(2).lower()])
    return found
