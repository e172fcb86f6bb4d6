# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in text of strangers, masked before the text becomes evidence.

Known are accounts in addresses (``postgres://name:password@db``, MySQL's ``name:password@tcp(db)``), headers
(``Authorization``, ``Bearer``, cookies), values of keys that sound secret (``token=``, ``"password": ""``), keys of
private keys, and some kinds of tokens by their form. Too much is rather masked than too little; a value that follows
its key as in a sentence ("no token: permission denied") is left where it is a plain word.
"""

from __future__ import annotations

import re
from typing import Match

MASK = "********"

_WORDS_FOR_IT = r"passw(?:or)?d|passphrase|pwd"
_SOUNDS_SECRET = (
    rf"{_WORDS_FOR_IT}|secret|token|csrf|cookie|authorization|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|encryption[_-]?key|encrypt[_-]?key|datasource|session[_-]?id|atrestencryptkey|signature(?==)"
)
# Without one of these nothing is to be masked: most texts are done with it.
_PERHAPS = re.compile(
    rf"(?i){_SOUNDS_SECRET}|bearer|basic|://|@tcp\(|@unix\(|AKIA|ASIA|eyJ|gh[opsru]_|glpat-|xox[abeoprs]-|PRIVATE KEY"
)
# A word ends at white space and at quotes; each is looked at once.
_WORD = re.compile(r"[^\s\"'`]+")
_PAIR = re.compile(
    rf"(?i)(?P<key>{_SOUNDS_SECRET})(?P<rest>[\w-]{{0,40}})(?P<mark>\\{{0,4}}[\"']?)(?P<before>\s{{0,4}})(?P<is>[=:]>?)"
    r"(?P<after>\s{0,4})(?P<scheme>(?:(?:bearer|basic|token|digest|negotiate)\s{1,4})?)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*|'(?:[^'\\]|\\.)*|\\{1,4}[\"'][^\"']*|[\[{][^\]}]*[\]}]?|[^\s\"'&]+)",
    re.DOTALL,
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s{1,4})([\w.~+/=-]{8,})")
_BY_FORM = re.compile(
    r"(?<![\w-])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|gh[opsru]_\w{20,}|glpat-[\w-]{15,}"
    r"|xox[abeoprs]-[\w-]{10,})"
)
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\w+/=\s\\:,*-]*")
_COOKIES = re.compile(r"(?i)(\bcookie:\s{0,4})[^\s\"'][^\r\n\"']*")
_PLAIN_WORD = re.compile(r"[^\s\d\"']{0,40}[.,;:!?)]*")
_ENDS_IN_WORDS_FOR_IT = re.compile(rf"(?i)(?:{_WORDS_FOR_IT})\Z")


def masked(text: str) -> str:
    """The text with its secrets replaced by asterisks; masking it again changes nothing."""
    if not _PERHAPS.search(text):
        return text
    text = _PRIVATE_KEY.sub(rf"\g<1>{MASK}", text)
    text = _WORD.sub(_without_accounts, text)
    text = _COOKIES.sub(rf"\g<1>{MASK}", text)
    text = _PAIR.sub(_without_value, text)
    text = _SCHEME.sub(_without_credentials, text)
    return _BY_FORM.sub(MASK, text)


def _without_accounts(match: Match[str]) -> str:
    word = match.group()
    at = word.rfind("@")
    if at < 0:
        return word
    start = word.find("://", 0, at)
    if start >= 0:
        name, colon, _secret = word[start + 3 : at].partition(":")
        return word[: start + 3] + (f"{name}:" if colon else "") + MASK + word[at:]
    if word.startswith(("@tcp(", "@unix("), at):
        head = word[:at].rfind("=") + 1
        name, colon, _secret = word[head:at].partition(":")
        return word[:head] + (f"{name}:{MASK}" if colon else name) + word[at:]
    return word


def _without_value(match: Match[str]) -> str:
    value = match.group("value")
    if _in_a_sentence(match) and not _looks_secret(match):
        return match.group()
    opening = re.match(r"\\{0,4}[\"']?", value)
    quote = opening.group() if opening else ""
    closing = re.search(r"\\{0,4}\Z", value) if quote.startswith("\\") else None
    end = closing.group() if closing else ""
    return match.group()[: len(match.group()) - len(value)] + quote + MASK + end


def _in_a_sentence(match: Match[str]) -> bool:
    """Whether the value follows a colon and a blank, as words do: not in JSON, whose keys are quoted."""
    return match.group("is") == ":" and bool(match.group("after")) and not match.group("mark")


def _looks_secret(match: Match[str]) -> bool:
    value = match.group("value")
    if match.group("scheme") or match.group("key").lower() in ("authorization", "cookie"):
        return True
    if not match.group("rest") and _ENDS_IN_WORDS_FOR_IT.search(match.group("key")):
        return True
    return len(value) >= 8 and not value.startswith(("/", "./")) and not _PLAIN_WORD.fullmatch(value)


def _without_credentials(match: Match[str]) -> str:
    credentials = match.group(3)
    plain = credentials.isalpha() and (credentials.islower() or credentials.istitle())
    return match.group() if plain else f"{match.group(1)}{match.group(2)}{MASK}"
