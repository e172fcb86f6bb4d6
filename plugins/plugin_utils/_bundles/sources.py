# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the operator wrote to bundles on this controller: files, downloads, and their signatures."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Tuple
from urllib.parse import urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.formatters import human_to_bytes

from ...module_utils._core.errors import OperatorError
from ...module_utils._host.reading import sha256_of
from ...module_utils._http.downloads import Downloads, is_url, shown_url
from ...module_utils._http.transfer import Transfer
from ...module_utils._node.source_options import SOURCE_ARGUMENTS
from ...module_utils._plugins.wanted import WantedPlugin
from .entry import Entry
from .facts import BundleFacts, cache_directory
from .signature import Verifier, read_signature

Find = Callable[[str], str]


@dataclass(frozen=True)
class SourceOptions:
    """The options of the fragment ``sources``."""

    bundle_directory: str = ""
    lock: str = ""
    fetch: str = "controller"
    keyring: str = ""
    signatures_required: bool = False
    download_limit: int = 1024**3
    download_timeout: int = 30
    download_ca_path: str = ""

    @classmethod
    def take(cls, args: Dict[str, Any]) -> SourceOptions:
        """Out of a module's arguments, so that no host gets them; a node that downloads gets what is specified of that.

        :raises OperatorError: a value is wrong
        """
        given = {name: args.pop(name) for name in list(args) if name in SOURCE_ARGUMENTS}
        given = {name: value for name, value in given.items() if value is not None}
        checked = ArgumentSpecValidator(SOURCE_ARGUMENTS).validate(given)
        if checked.error_messages:
            raise OperatorError("a source option is wrong", found="; ".join(checked.error_messages))
        values: Dict[str, Any] = {
            name: "" if value is None else value for name, value in checked.validated_parameters.items()
        }
        if values["signatures_required"] and not values["keyring"]:
            raise OperatorError(
                "signatures_required needs keyring",
                remedy="name a file with the public keys that you trust, as gpg --export writes it",
            )
        values["download_limit"] = _bytes(values["download_limit"] or "1G")
        options = cls(**values)
        if options.by_node:
            args.update({name: value for name, value in given.items() if name.startswith("download_")})
        return options

    @property
    def by_node(self) -> bool:
        """Whether nodes download bundles themselves."""
        return self.fetch == "node"


def _bytes(text: str) -> int:
    try:
        return int(human_to_bytes(text))
    except ValueError as error:
        raise OperatorError("download_limit is no size", found=text, wanted="for example 500M or 2G") from error


@dataclass(frozen=True)
class Resolved:
    """One plugin of the list and what was found for it.

    :param entry: where it comes from
    :param path: its bundle on this controller; empty where only the nodes' stores may have it, or nodes download it
    :param signature: where its signature came from, a path or a URL; empty where it has none
    """

    plugin: WantedPlugin
    entry: Entry
    path: str = ""
    signature: str = ""


class BundleSources:
    """Where the bundles of a list come from.

    :param find: turns a path of the operator's list into one that exists on the controller
    """

    def __init__(self, find: Find, facts: BundleFacts, options: SourceOptions) -> None:
        self._find = find
        self._facts = facts
        self._options = options
        self._verifier = Verifier(find(options.keyring), facts) if options.keyring else None
        transfer = Transfer(options.download_timeout, options.download_ca_path)
        self._downloads = Downloads(cache_directory(), transfer, options.download_limit)

    def resolve(self, entry: Entry) -> Resolved:
        """The bundle of one entry, on this controller unless nodes download it.

        :raises OperatorError: the bundle cannot be had, is not what the entry specifies, or is not signed as it must be
        """
        if not entry.present:
            return Resolved(WantedPlugin(id=entry.id, present=False, enabled=False), entry)
        if not entry.has_source:
            return self._from_stores(entry)
        if entry.url and self._options.by_node:
            return self._by_node(entry)
        path = self._path(entry)
        fields = self._facts_at(path, entry)
        signature, content = self._signature(entry, path, fields["sha256"])
        plugin = WantedPlugin.from_dict({**fields, "enabled": entry.enabled is not False, "signature": content})
        return Resolved(plugin, entry, path, signature)

    def id_of(self, path: str) -> str:
        """The id in a bundle."""
        return str(self._facts.of(path)["id"])

    def sha256_of(self, path: str) -> str:
        """Of a bundle."""
        return str(self._facts.of(path)["sha256"])

    def matches(self, path: str, specified: Mapping[str, str]) -> bool:
        """Whether a bundle is as specified."""
        facts = self._facts.of(path)
        return all(facts[key] == value for key, value in specified.items())

    def _from_stores(self, entry: Entry) -> Resolved:
        if entry.is_bare:  # the server may bring it along: each node knows
            return Resolved(WantedPlugin(id=entry.id, enabled=entry.enabled is not False), entry)
        if not entry.is_pinned:
            raise OperatorError(
                f"no source is specified for the bundle of {entry.id}",
                where=entry.where,
                wanted="src or url; else a bundle in bundle_directory, an entry in lock, or version and sha256 of a "
                "bundle in the nodes' stores",
            )
        if self._options.signatures_required:
            raise OperatorError(
                f"the bundle of {entry.id} is not on the controller, so its signature cannot be verified",
                where=entry.where,
                remedy="specify its src or url",
            )
        fields = {**entry.specified(), "tree": entry.tree, "enabled": entry.enabled is not False}
        return Resolved(WantedPlugin.from_dict(fields), entry)

    def _by_node(self, entry: Entry) -> Resolved:
        """What only the lock file tells of the bundle: this controller does not read it."""
        if not (entry.is_pinned and entry.tree):
            raise OperatorError(
                "a bundle that the nodes download must be pinned by the lock file",
                where=entry.where,
                wanted="a pin with its sha256, in the entry too if that specifies more than the id",
                remedy="run the lock playbook, which downloads the bundle once, and name the lock file; or let the "
                "controller fetch it",
            )
        parts = urlsplit(entry.url)
        if "@" in parts.netloc or parts.query:
            raise OperatorError(
                "a URL that may hold a secret goes to no node",
                where=entry.where,
                found=shown_url(entry.url),
                wanted="a URL without password and query",
                remedy="keep the password in ~/.netrc on the nodes, or let the controller fetch the bundle",
            )
        if self._options.keyring:
            raise OperatorError(
                "the signature of a bundle that the nodes download cannot be verified on the controller",
                where=entry.where,
                remedy="leave keyring out: the lock file pins what was verified when it was written; or let the "
                "controller fetch the bundle",
            )
        signature = ""
        if entry.signature:
            url = is_url(entry.signature)
            local = self._downloads.signature(entry.signature, entry.sha256) if url else self._find(entry.signature)
            signature = base64.b64encode(read_signature(local)).decode("ascii")
        fields = {**entry.specified(), "tree": entry.tree, "enabled": entry.enabled is not False, "url": entry.url}
        return Resolved(WantedPlugin.from_dict({**fields, "signature": signature}), entry, signature=entry.signature)

    def _path(self, entry: Entry) -> str:
        if entry.src:
            return self._find(entry.src)
        path = self._downloads.bundle(entry.url, entry.sha256)
        if path.startswith(cache_directory()) and self._is_damaged(path, entry.sha256):
            os.unlink(path)
            path = self._downloads.bundle(entry.url, entry.sha256)
        return path

    def _is_damaged(self, path: str, sha256: str) -> bool:
        try:
            return bool(self._facts.of(path)["sha256"] != sha256)
        except OperatorError:
            return sha256_of(path) != sha256

    def _facts_at(self, path: str, entry: Entry) -> Dict[str, Any]:
        facts = self._facts.of(path)
        for key, value in entry.specified().items():
            if facts[key] != value:
                raise OperatorError(
                    f"the bundle is not the one that the list names: another {key}",
                    where=f"{entry.where}, {path}",
                    found=facts[key],
                    wanted=value,
                    remedy=f"use the right bundle, or correct {key} in the list",
                )
        return facts

    def _signature(self, entry: Entry, path: str, sha256: str) -> Tuple[str, str]:
        """Where the signature is, and its content in base64; verified where there is a keyring."""
        source = entry.signature or (f"{path}.sig" if entry.src and os.path.isfile(f"{path}.sig") else "")
        if not source:
            if self._options.signatures_required:
                raise OperatorError(
                    "the bundle has no signature",
                    where=f"{entry.where}, {path}",
                    wanted=f"a signature by a key of {self._options.keyring}",
                    remedy=f"put the publisher's detached signature beside it ({os.path.basename(path)}.sig), or "
                    "specify where it is (signature)",
                )
            return "", ""
        local = self._downloads.signature(source, sha256) if is_url(source) else self._signature_path(source, path)
        try:
            self._verify(path, local, entry)
        except OperatorError:
            if not (is_url(source) and local.startswith(cache_directory())):
                raise
            os.unlink(local)  # the publisher may have fixed it
            self._verify(path, self._downloads.signature(source, sha256), entry)
        return source, base64.b64encode(read_signature(local)).decode("ascii")

    def _signature_path(self, source: str, path: str) -> str:
        return source if source == f"{path}.sig" else self._find(source)

    def _verify(self, path: str, signature: str, entry: Entry) -> None:
        if self._verifier is not None:
            self._verifier.verify(path, signature, entry.where)
