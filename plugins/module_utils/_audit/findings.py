# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of an audit: one for each cause, with everything that it was seen by."""

from __future__ import annotations

import functools
import posixpath
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from .._core.text import in_lines, one_line
from .codes import CODES, ERROR, NOTE, WARNING, FindingCode

_ORDER = {ERROR: 0, WARNING: 1, NOTE: 2}
_SHOWN_EVIDENCE = 8
# A stranger who writes a log, or names files, can cause any number of findings.
MOST_OF_A_CODE = 100
_MOST_EVIDENCE = 64  # kept of a finding; what is more is counted
_NAMED_OF_THE_REST = 5
_LONGEST_EVIDENCE = 1000
_LONGEST_SUBJECT = 300
_LONGEST_MASKED = 8 * 1024
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
    :param fixed_by_site: whether site.yml fixes it; None: as the code has it
    :param more: evidence that was counted and not kept
    """

    code: str
    subject: str = ""
    evidence: List[str] = field(default_factory=list)
    source: str = DISK
    values: Dict[str, str] = field(default_factory=dict)
    fixed_by_site: Optional[bool] = None
    remedy: str = ""
    more: int = 0

    def see(self, text: str) -> None:
        """Add evidence, each once."""
        if text in self.evidence:
            return
        if len(self.evidence) < _MOST_EVIDENCE:
            self.evidence.append(text)
        else:
            self.more += 1

    @property
    def kind(self) -> FindingCode:
        return CODES[self.code]

    def as_dict(self) -> Dict[str, Any]:
        kind = self.kind
        values = {"subject": self.subject, **self.values}
        hidden = max(0, len(self.evidence) - _SHOWN_EVIDENCE) + self.more
        found = {
            "code": self.code,
            "severity": kind.severity,
            "title": kind.title,
            "subject": one_line(self.subject, _LONGEST_SUBJECT),
            "evidence": self.evidence[:_SHOWN_EVIDENCE] + ([f"and {hidden} more"] if hidden > 0 else []),
            "source": self.source,
            "cause": kind.cause,
            "leads_to": kind.leads_to,
            "remedy": self.remedy or filled(kind.remedy, values),
            "command": filled(kind.command, {name: quoted(value) for name, value in values.items()}),
            "mended_by_site": kind.fixed_by_site if self.fixed_by_site is None else self.fixed_by_site,
        }
        shown: Dict[str, Any] = in_lines(found)
        return shown


def evidence_of(text: str) -> str:
    """A text as evidence: one line, not too long, without its secrets and without control characters."""
    from .._core.secrets import masked

    return one_line(masked(text[:_LONGEST_MASKED]), _LONGEST_EVIDENCE)


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in; those that nothing is known of stay, as ``<name>``."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match.group(1)) or f"<{match.group(1)}>", template)


def quoted(text: str) -> str:
    """As one word of a shell command; an empty text stays empty, so that a placeholder stays one."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if _UNSAFE.search(text) else text


class Findings:
    """Collects the findings of a node. The same cause twice is one finding with the evidence of both.

    Of each code a limited number is kept; the others are counted, and one finding says how many they are.
    """

    def __init__(self) -> None:
        self._found: Dict[str, Dict[str, Finding]] = {}  # code -> subject -> finding
        self._left_out: Dict[str, Dict[str, None]] = {}  # code -> subjects in their order

    def add(
        self,
        code: str,
        subject: str = "",
        evidence: str = "",
        *,
        fixed_by_site: Optional[bool] = None,
        remedy: str = "",
        values: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Add what was seen on the node itself."""
        seen = [evidence_of(evidence)] if evidence else []
        self._merge(Finding(code, subject, seen, DISK, dict(values or {}), fixed_by_site, remedy))

    def explain(self, code: str, causes: Sequence[str], subjects: Sequence[str], line: str) -> None:
        """Add what a line of a log tells: evidence of its cause where that was found, else a finding of its own.

        :param code: the finding if nothing on the node explains the line
        :param causes: codes of findings that would explain it
        :param subjects: what the line is about: paths, a plugin's id; the first one is the finding's own subject.
            None: any of the causes explains it
        """
        line = evidence_of(line)
        known = self._of([code, *causes])
        fitting = [finding for finding in known if any(_same(finding.subject, subject) for subject in subjects)]
        fitting = fitting if subjects else known
        general = [finding for finding in known if not finding.subject]
        for finding in fitting or general:
            finding.see(line)
        if (
            not fitting and not general and CODES[code].severity != NOTE
        ):  # a note is made only of what is seen on the node itself
            self._merge(Finding(code, subjects[0] if subjects else "", [line], LOG))

    def leave_out(self, code: str, causes: Sequence[str], subject: str) -> None:
        """Count a line of a log that is one too many to be explained: to its code, or to a cause that was found."""
        known = next((finding.code for finding in self._of([code, *causes])), code)
        if CODES[known].severity != NOTE:
            self._left_out.setdefault(known, {})[subject] = None

    def has(self, codes: Iterable[str]) -> bool:
        return any(self._found.get(code) for code in codes)

    def about(self, subject: str, severity: str = ERROR) -> bool:
        """Whether something of this severity is known of a subject."""
        return any(
            subject in found and CODES[code].severity == severity
            for kept in (self._found, self._left_out)
            for code, found in kept.items()
        )

    def errors(self) -> List[Finding]:
        return [finding for finding in self._of(self._found) if finding.kind.severity == ERROR]

    def as_list(self) -> List[Dict[str, Any]]:
        """The worst first, then by code and subject; behind those of a code what was left out."""
        found = [(finding, False) for finding in self._of(self._found)]
        found += [(self._rest(code, list(subjects)), True) for code, subjects in self._left_out.items()]
        found.sort(key=lambda item: (_ORDER[item[0].kind.severity], item[0].code, item[1], item[0].subject))
        return [finding.as_dict() for finding, _is_rest in found]

    def _of(self, codes: Iterable[str]) -> List[Finding]:
        return [finding for code in codes for finding in self._found.get(code, {}).values()]

    @staticmethod
    def _rest(code: str, subjects: List[str]) -> Finding:
        named = ", ".join(one_line(subject, _LONGEST_SUBJECT) for subject in subjects[:_NAMED_OF_THE_REST] if subject)
        more = ", ..." if named and len(subjects) > _NAMED_OF_THE_REST else ""
        text = f"and {len(subjects)} more of this kind" + (f": {named}{more}" if named else "")
        return Finding(code, "", [evidence_of(text)])

    def _merge(self, new: Finding) -> None:
        of_code = self._found.setdefault(new.code, {})
        if new.subject not in of_code and len(of_code) >= MOST_OF_A_CODE:
            self._left_out.setdefault(new.code, {})[new.subject] = None
            return
        known = of_code.setdefault(new.subject, new)
        if known is new:
            return
        for text in new.evidence:
            known.see(text)
        known.values.update({name: value for name, value in new.values.items() if name not in known.values})
        if new.fixed_by_site is not None:
            known.fixed_by_site = new.fixed_by_site and known.fixed_by_site is not False
        if new.source == DISK:
            known.source = DISK


def _same(one: str, other: str) -> bool:
    """The same id or setting; of paths one may hold the other, as a mount holds what lies on it."""
    if one == other:
        return bool(one)
    if not (one.startswith("/") and other.startswith("/")):
        return False
    one, other = _normal(one), _normal(other)
    return one == "/" or one.startswith(other + "/") or other.startswith(one.rstrip("/") + "/")


_normal = functools.lru_cache(maxsize=4096)(posixpath.normpath)
