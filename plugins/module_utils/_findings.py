# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Findings of an audit: one for each cause, whatever it was seen by."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ._finding_codes import CODES, ERROR, NOTE, WARNING, FindingCode

_ORDER = {ERROR: 0, WARNING: 1, NOTE: 2}
_SHOWN_EVIDENCE = 8
_UNSAFE = re.compile(r"[^\w@%+=:,./~-]", re.ASCII)

DISK, LOG = "disk", "log"


@dataclass
class Finding:
    """One thing that is wrong on one node.

    :param code: one of :data:`CODES`
    :param subject: what it is about: a host path, a plugin's id, a setting; empty for the node itself
    :param evidence: what was seen, each as a sentence without its full stop
    :param source: ``disk``, or ``log`` where only a line of a log tells it
    :param values: for the placeholders of the code's remedy and command
    :param mends: whether site.yml mends it; None: as the code says
    """

    code: str
    subject: str = ""
    evidence: List[str] = field(default_factory=list)
    source: str = DISK
    values: Dict[str, str] = field(default_factory=dict)
    mends: Optional[bool] = None
    remedy: str = ""

    @property
    def kind(self) -> FindingCode:
        return CODES[self.code]

    def as_dict(self) -> Dict[str, Any]:
        kind = self.kind
        values = {"subject": self.subject, **self.values}
        hidden = len(self.evidence) - _SHOWN_EVIDENCE
        return {
            "code": self.code,
            "severity": kind.severity,
            "title": kind.title,
            "subject": self.subject,
            "evidence": self.evidence[:_SHOWN_EVIDENCE] + ([f"and {hidden} more"] if hidden > 0 else []),
            "source": self.source,
            "cause": kind.cause,
            "leads_to": kind.leads_to,
            "remedy": self.remedy or filled(kind.remedy, values),
            "command": filled(kind.command, {name: quoted(value) for name, value in values.items()}),
            "mended_by_site": kind.mends if self.mends is None else self.mends,
        }


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in; those that nothing is known of stay, as ``<name>``."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match.group(1)) or f"<{match.group(1)}>", template)


def quoted(text: str) -> str:
    """As one word of a shell command; an empty text stays empty, so that a placeholder stays one."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if _UNSAFE.search(text) else text


class Findings:
    """Collects the findings of a node. The same cause twice is one finding with the evidence of both."""

    def __init__(self) -> None:
        self._found: Dict[Tuple[str, str], Finding] = {}

    def add(
        self,
        code: str,
        subject: str = "",
        evidence: str = "",
        *,
        mends: Optional[bool] = None,
        remedy: str = "",
        values: Optional[Mapping[str, str]] = None,
    ) -> None:
        """What was seen on the node itself."""
        self._merge(Finding(code, subject, [evidence] if evidence else [], DISK, dict(values or {}), mends, remedy))

    def explain(self, code: str, causes: Sequence[str], subjects: Sequence[str], line: str) -> None:
        """What a line of a log tells: evidence of its cause where that was found, else a finding of its own.

        :param code: the finding if nothing on the node explains the line
        :param causes: codes of findings that would explain it
        :param subjects: what the line is about: paths, a plugin's id; the first one is the finding's own subject.
            None: any of the causes explains it
        """
        known = [finding for finding in self._found.values() if finding.code in (code, *causes)]
        fitting = [finding for finding in known if any(_same(finding.subject, subject) for subject in subjects)]
        fitting = fitting if subjects else known
        general = [finding for finding in known if not finding.subject]
        for finding in fitting or general:
            if line not in finding.evidence:
                finding.evidence.append(line)
        if not fitting and not general and CODES[code].severity != NOTE:  # what is no fault is seen on the node itself
            self._merge(Finding(code, subjects[0] if subjects else "", [line], LOG))

    def has(self, codes: Iterable[str]) -> bool:
        wanted = set(codes)
        return any(finding.code in wanted for finding in self._found.values())

    def about(self, subject: str, severity: str = ERROR) -> bool:
        """Whether something of this severity is known of a subject."""
        return any(finding.subject == subject and finding.kind.severity == severity for finding in self._found.values())

    def errors(self) -> List[Finding]:
        return [finding for finding in self._found.values() if finding.kind.severity == ERROR]

    def as_list(self) -> List[Dict[str, Any]]:
        """The worst first, then by code and subject."""
        found = sorted(self._found.values(), key=lambda f: (_ORDER[f.kind.severity], f.code, f.subject))
        return [finding.as_dict() for finding in found]

    def _merge(self, new: Finding) -> None:
        known = self._found.setdefault((new.code, new.subject), new)
        if known is new:
            return
        known.evidence.extend(text for text in new.evidence if text not in known.evidence)
        known.values.update({name: value for name, value in new.values.items() if name not in known.values})
        if new.mends is not None:
            known.mends = new.mends if known.mends is None else known.mends and new.mends
        if new.source == DISK:
            known.source = DISK


def _same(one: str, other: str) -> bool:
    """The same id or setting; of paths one may hold the other, as a mount holds what lies on it."""
    if one == other:
        return bool(one)
    if not (one.startswith("/") and other.startswith("/")):
        return False
    one, other = posixpath.normpath(one), posixpath.normpath(other)
    return one == "/" or one.startswith(other + "/") or other.startswith(one.rstrip("/") + "/")
