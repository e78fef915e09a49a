"""Find secrets and personal data in texts, and take them out."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html.entities import html5
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST = 6
"""Characters of the shortest value that is taken for a secret: a shorter one would stand in every other line."""
PRIVATE = "[private]"
"""What stands for the value of a key that a platform's spider declares to be private."""

_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASS|KEY)$", re.IGNORECASE)
# With which name a secret goes into the header of Basic authentication: CLIENT_ID with CLIENT_SECRET.
_USERS = ("ID", "USER", "USERNAME", "LOGIN", "KEY")
_HIDDEN = "[hidden]"
# How JSON and Python write them, after a backslash.
_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


class Secret(NamedTuple):
    """A secret, in plain or in Base64, and the name of the setting that holds it."""

    name: str
    value: str


def secrets_of(settings: Mapping[str, Any]) -> tuple[Secret, ...]:
    """Return the secrets among settings, in plain and in Base64 as they travel, longest first.

    Secret are the values of names that end with ``_TOKEN``, ``_SECRET``, ``_PASSWORD``, ``_PASS``, ``_KEY``, in
    settings inside settings, too, and the passwords inside addresses (``DATABASE_URL``, proxies). Values with
    fewer than `SHORTEST` characters are left out.
    """
    found: dict[str, str] = {}
    for name in settings:
        for value in _values(str(name), settings[name], settings):
            if len(value) >= SHORTEST:
                for spelling in (value, _base64(value)):
                    found.setdefault(spelling, str(name))
    return tuple(Secret(found[spelling], spelling) for spelling in sorted(found, key=lambda text: (-len(text), text)))


def redact(text: str, secrets: tuple[Secret, ...] = ()) -> str:
    """Return `text` with ``[NAME]`` for each secret, and ``[hidden]`` for what looks like one.

    Secrets are found however they are escaped: for addresses, JSON, HTML or Python, in one another, too. What looks
    like one is the value of a parameter, a JSON key or a header whose name says so (``access_token=``, ``"password":``,
    ``Authorization:``, ``Cookie:``), a bearer token, a password in an address.
    """
    for part, value, shown in _plan(secrets):
        # Nearly every line holds none: finding that out is all that it costs.
        if part in text:
            text = _pattern(value).sub(shown, text)
    lower = text.lower()
    for words, pattern in _PATTERNS:
        if any(word in lower for word in words):
            text = pattern.sub(_hide, text)
    return text


def redact_values(value: Any, secrets: tuple[Secret, ...] = ()) -> Any:
    """Return a JSON value with all its texts redacted, those in keys too; what is no text is left as it is."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {
            redact(key, secrets) if isinstance(key, str) else key: (
                _HIDDEN
                if isinstance(key, str) and isinstance(inner, str) and inner and _STRONG_NAME.fullmatch(key)
                else redact_values(inner, secrets)
            )
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact_values(inner, secrets) for inner in value]
    return value


def scrub_personal(text: str, private_keys: tuple[str, ...] = ()) -> str:
    """Return `text` with ``[e-mail]``, ``[phone]``, ``[name]`` and ``[private]`` for what is about people.

    Only numbers that say that they are one: in a ``tel:`` link, written internationally with a plus sign and at least
    nine digits, in three groups as in Korea and Japan, a Korean mobile number. Others look like ids, amounts and
    dates, which must stay. Only names that something says of that they are a person's or a company's: a JSON key
    (``"public_name"``, ``"hiringOrganization"``), a class of HTML (``username``). Elsewhere no program finds them.
    `private_keys` are the JSON keys whose texts and numbers are private whatever they look like; JSON may be escaped
    within other texts.
    """
    lower = text.lower()
    if any(sign in lower for sign in _AT_SIGNS):
        text = _without_addresses(text)
    if "tel:" in lower:
        text = _TEL_LINK.sub(r"\1[phone]", text)
    if "+" in text:
        text = _INTERNATIONAL.sub("[phone]", text)
    text = _NATIONAL.sub("[phone]", text)
    for words, pattern in _NAMED:
        if any(word in lower for word in words):
            text = pattern.sub(r"\1[name]", text)
    if any(key in text for key in private_keys):
        text = _private(private_keys).sub(rf"\g<key>\g<quote>{PRIVATE}\g<quote>", text)
    return text


def _values(name: str, value: Any, beside: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secrets in one setting, in plain and with the user name as Basic authentication sends them."""
    if isinstance(value, Mapping):
        for key in value:
            yield from _values(str(key), value[key], value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _values("", inner, {})
    elif isinstance(value, bytes):
        yield from _values(name, value.decode("latin-1"), beside)
    elif isinstance(value, str):
        if match := _SECRET_NAME.search(name):
            stem = name[: match.start()]
            users = {beside[f"{stem}_{user}"] for user in _USERS if isinstance(beside.get(f"{stem}_{user}"), str)}
            # A key may be the user name, with no password.
            yield from _with_basic(value.strip(), {*users, ""}, also_as_user=True)
        if "://" in value:
            yield from _in_address(value.strip())


def _in_address(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        # Whoever mistyped the address has a password in it all the same.
        if match := re.search(r"://[^/@:]*:(.+)@", url):
            yield match[1]
        return
    credentials, at, _ = parts.netloc.rpartition("@")
    user, colon, password = credentials.partition(":")
    if not at and (match := re.match(r"[^:/?#]*://([^:/?#]*):(.+)@", url)):
        # A slash, a question mark or a hash in the password, which ought to be written in percent.
        (user, password), colon = match.groups(), ":"
    if colon and len(unquote(password)) >= SHORTEST:
        yield password
        yield from _with_basic(unquote(password), {unquote(user)})
    for name, value in parse_qsl(parts.query):
        if "password" in name.lower() or _SECRET_NAME.search(name):
            yield value


def _with_basic(value: str, users: Iterable[str], *, also_as_user: bool = False) -> Iterator[str]:
    if len(value) < SHORTEST:
        return
    yield value
    pairs = [f"{user}:{value}" for user in users]
    for pair in [*pairs, f"{value}:"] if also_as_user else pairs:
        yield _base64(pair)


def _base64(value: str) -> str:
    return b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("=")


@lru_cache(maxsize=8)
def _plan(secrets: tuple[Secret, ...]) -> list[tuple[str, str, str]]:
    """Return of each secret the longest part that no escaping changes, its value, and what is shown for it."""
    return [
        (max(re.findall("[A-Za-z0-9]*", value), key=len), value, f"[{name}]".replace("\\", r"\\"))
        for name, value in secrets
    ]


@lru_cache(maxsize=256)
def _pattern(value: str) -> re.Pattern[str]:
    """Return the pattern for a secret of which each character may be escaped; compiled when first needed."""
    pattern = "".join(map(_escaped, re.findall(r"\\+|[^\\]", value)))
    if value.isascii() and value.isalpha() and len(value) < 12:
        # A password that is a word, such as "postgres", is hidden as a word only: it stands inside of others.
        pattern = rf"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])){pattern}(?![^\W_])"
    return re.compile(pattern)


def _escaped(part: str) -> str:
    """Return the pattern for a character, or a run of backslashes, as it is and in the ways in which it is escaped.

    In percent, with a backslash as in JSON and Python, in HTML by number or name; and what was escaped once more.
    """
    if part.isascii() and part.isalnum():
        return part
    if part.startswith("\\"):
        # Doubled each time: counted together, for which of them escapes the next nobody can tell.
        once = r"\\(?:u005c|x5c)?|%(?:25){0,3}5c|&(?:amp;)*(?:#0*92|#x0*5c|bsol);?"
        return rf"(?i:{once}){{{len(part)},{4 * len(part)}}}"
    code, encoded = ord(part), part.encode("utf-8", "surrogatepass")
    units = part.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    ways = [
        "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in encoded),
        "".join(rf"\\{{1,4}}x{byte:02x}" for byte in encoded),
        "".join(rf"\\{{1,4}}u{unit}" for unit in units),
        rf"\\{{1,4}}(?:x{code:02x}|U{code:08x})",
        f"&(?:amp;)*#(?:0*{code}|x0*{code:x});?",
        *(f"&(?:amp;)*{name}" for name, named in html5.items() if named == part and name.endswith(";")),
    ]
    if part in _LETTERS:
        ways.append(rf"\\{{1,4}}{_LETTERS[part]}")
    if part == " ":
        ways.append("[+]")
    return rf"(?:\\{{0,3}}{re.escape(part)}|(?i:{'|'.join(ways)}))"


_STRONG = (
    r"token|api_?-?key|app_?key|access_?key|client_?secret|secret|password|passwd|pwd|code_verifier|client_assertion"
    r"|phpsessid|jsessionid|session_?id|sessid|jwt"
)
_STRONG_NAME = re.compile(rf".*(?:{_STRONG})|(?:proxy-)?authorization|(?:set-)?cookie", re.IGNORECASE | re.DOTALL)
# Words that mean other things outside of a query: "exit code=1".
_WEAK = r"code|key|sig|signature|hmac|auth|session|sid|ticket|otp|x-amz-credential"
_HEADERS = r"authorization|cookie|x-api-key|auth-token|access-token|c?x?srf-token|-oauth[a-z0-9-]*"
# What was replaced already stays as it is; so does the address that error messages show as an example.
_NOT_YET = r"(?!\[[A-Za-z_]{1,80}\])"
_VALUE = rf"(?P<hidden>{_NOT_YET}(?:(?!%26|%23|&amp;)[^&\s\"'<>#;,)\]}}])+)"
# No pattern begins with a repetition: on a page of megabytes each costs one pass.
_NAMES = ("token", "key", "secret", "passw", "pwd", "verifier", "assertion", "sess", "jwt", "auth", "cookie")
_PATTERNS = (
    (_NAMES, re.compile(rf"(?:{_STRONG})(?:=|%3D){_VALUE}", re.IGNORECASE)),
    (
        ("code", "key", "sig", "hmac", "auth", "session", "sid", "ticket", "otp", "credential"),
        re.compile(rf"(?:[?&;]|%3F|%26)(?:{_WEAK})(?:=|%3D){_VALUE}", re.IGNORECASE),
    ),
    (
        # JSON, and how Python shows a dictionary, headers in bytes among them.
        _NAMES,
        re.compile(
            rf"(?:{_STRONG}|{_HEADERS})\\?[\"']\s*[:=]\s*\[?\s*b?(?P<quote>\\?[\"'])"
            rf"(?P<hidden>{_NOT_YET}(?:(?!(?P=quote))(?:\\.|[^\\]))+)",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        # A hidden field of a form, a <meta> of a page.
        ("token", "secret", "key", "passw", "jwt"),
        re.compile(
            rf"(?:{_STRONG})[\"'][^<>]{{0,200}}?\b(?:content|value)=[\"']?(?P<hidden>{_NOT_YET}[^\"'<>\s]+)",
            re.IGNORECASE,
        ),
    ),
    (
        # A header on a line of its own, to its end.
        ("auth", "cookie", "token", "key"),
        re.compile(rf"(?:{_HEADERS}):[ \t]*+(?P<hidden>{_NOT_YET}(?:=\"[^\"\r\n]*\"|[^\r\n<\"'])+)", re.IGNORECASE),
    ),
    (("bearer ",), re.compile(r"[Bb]earer (?P<hidden>[A-Za-z0-9._~+/-]{16,}=*)")),
    (("@",), re.compile(rf"://[^/\s:@\"'<>]*:(?P<hidden>(?!PASSWORD@){_NOT_YET}[^/\s@\"'<>]+)(?=@)")),
    (("eyj",), re.compile(r"(?<![\w-])(?P<hidden>eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)")),
)
"""Words of which a text must hold one for the pattern to be tried; the pattern."""


def _hide(match: re.Match[str]) -> str:
    start, end = match.start("hidden") - match.start(), match.end("hidden") - match.start()
    return match[0][:start] + _HIDDEN + match[0][end:]


_AT_SIGNS = ("@", "%40", "&#64;", "&#x40;", "&commat;", "\\u0040")
# What follows may be of a script without blanks. An image for dense screens is called icon@2x.png.
_AT_HOST = re.compile(
    rf"(?:{'|'.join(map(re.escape, _AT_SIGNS))})(?:[\w-]{{1,63}}\.){{1,5}}"
    r"(?!(?:png|jpe?g|gif|webp|avif|svg|ico|css|js|mjs|json|map|html?)(?![a-z0-9_]))"
    r"(?:[a-z]{2,24}(?![a-z0-9_@])|[^\W\d_]{2,24}(?![\w@]))",
    re.IGNORECASE,
)
_LONGEST_USER = 64
# JSON is read as it came: in "\njane" the "n" is a line break's. What stands before may be of such a script, too.
_USER = re.compile(
    r"(?:(?<![\w.+%\\-])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4})|(?<=\\)(?![bfnrt]|u[0-9a-f]{4})"
    rf"|(?<=%[0-9a-f]{{2}})|(?<=[^\x00-\x7f])(?=[a-z0-9]))[\w.+%-]{{1,{_LONGEST_USER}}}\Z",
    re.IGNORECASE,
)
# Each begins with the character that is searched for, and then looks back.
_TEL_LINK = re.compile(r"\b(tel:)\+?[0-9(][0-9().\-\s]{4,20}[0-9]", re.IGNORECASE)
_INTERNATIONAL = re.compile(
    r"\+(?:(?<=\\[bfnrt]\+)|(?<=\\u[0-9a-fA-F]{4}\+)|(?<![A-Za-z0-9_+]\+))"
    r"[1-9](?:[ ().\-/\u00a0]{0,2}[0-9]){8,14}(?![A-Za-z0-9_])"
)
_NATIONAL = re.compile(
    r"0(?:(?<=\\[bfnrt]0)|(?<=\\u[0-9a-fA-F]{4}0)|(?<![A-Za-z0-9_.-]0))"
    r"(?:[0-9]{1,3}-[0-9]{3,4}-[0-9]{4}|(?<![/=]0)1[016-9](?P<apart>[. ]?)[0-9]{3,4}(?P=apart)[0-9]{4})"
    r"(?![A-Za-z0-9_]|[.-][0-9])"
)
# The value of a JSON key, the whole of it quoted in the same way; keys may be escaped inside of other texts.
_QUOTE = r"(?:\\{0,3}\"|&quot;|&#34;)"
_NAME = rf"\s{{0,20}}:\s{{0,20}}(?P<quote>{_QUOTE}))(?!\[name\])(?:(?!(?P=quote))(?:\\[\s\S]|[^\\])){{1,300}}"
# Two deep: {"address": {"addressCountry": {"name": "KR"}}}. What was read is never read again in another way.
_OBJECT = r"\{(?:[^{}]|\{[^{}]*+\})*+\}"
_NAMED = (
    (
        ("name", "hiringorganization"),
        re.compile(
            r"((?:(?:public|user|first|last|full|client|company|employer|owner)_?name|hiringOrganization)"
            rf"{_QUOTE}{_NAME}",
            re.IGNORECASE,
        ),
    ),
    (
        # JobPosting of schema.org: who hires, and once more in who gave the number.
        ("hiringorganization", "identifier"),
        re.compile(
            rf"((?:hiringOrganization|identifier){_QUOTE}\s{{0,20}}:\s{{0,20}}(?:\[\s{{0,20}})?"
            rf"\{{(?:[^{{}}]|{_OBJECT}){{0,300}}?{_QUOTE}name{_QUOTE}{_NAME}",
            re.IGNORECASE,
        ),
    ),
    (
        # Classes of HTML, and the first text in such an element.
        ("username", "user-name", "identityname", "client-name", "clientname"),
        re.compile(
            r"(class=\\?[\"'][^\"'<>]{0,100}?(?:user-?name|identityname|client-?name)[^\"'<>]{0,100}[\"'][^<>]{0,200}>"
            r"(?:\s{0,50}<[^<>/][^<>]{0,200}>){0,3}\s{0,100})(?!\[name\]|\s)[^<>]{1,200}",
            re.IGNORECASE,
        ),
    ),
)
"""Words of which a text must hold one for the pattern to be tried; the pattern, whose first group stays."""


def _without_addresses(text: str) -> str:
    """Return `text` without e-mail addresses; it looks for their signs first, of which there are few."""
    parts, end = [], 0
    for host in _AT_HOST.finditer(text):
        if user := _USER.search(text, max(end, host.start() - _LONGEST_USER), host.start()):
            parts += [text[end : user.start()], "[e-mail]"]
            end = host.end()
    return "".join([*parts, text[end:]])


@lru_cache(maxsize=16)
def _private(keys: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern for the values of JSON keys; what was replaced already stays as it is."""
    names = "|".join(map(re.escape, keys))
    return re.compile(
        rf"(?P<key>(?P<quote>{_QUOTE})(?:{names})(?P=quote)\s{{0,20}}:\s{{0,20}})(?:-?[0-9][0-9.eE+-]{{0,30}}"
        r"|(?P=quote)(?!\[[a-z-]{1,20}\](?P=quote))(?:(?!(?P=quote))(?:\\[\s\S]|[^\\])){1,4000}(?P=quote)?)"
    )
