"""Items that were not stored: kept with the reason, so that nothing is lost and a spider can be mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.parsing.text import clean_json, clean_line, drop_unstorable

_LONGEST_TEXT = 20_000
_LARGEST_PAYLOAD = 1_000_000  # bytes

_INSERT = text(
    """
INSERT INTO rejected_items (run_id, spider, url, external_id, reason, payload, fingerprint, rejected_at)
SELECT (SELECT id FROM crawl_runs c WHERE c.id = r.run_id), spider, url, external_id, reason, payload,
    decode(fingerprint, 'hex'), now()
FROM json_to_recordset(CAST(:rows AS json)) AS r(
    run_id bigint, spider text, url text, external_id text, reason text, payload jsonb, fingerprint text)
ORDER BY fingerprint
ON CONFLICT (fingerprint) DO UPDATE SET
    run_id = excluded.run_id, payload = excluded.payload, rejected_at = excluded.rejected_at
"""
).bindparams(bindparam("rows", type_=Text))


def rejection_line(item: object, reason: str, *, spider: str, run_id: int | None) -> bytes:
    """Return one rejection as a line of JSON, whatever the item is.

    Texts that no database takes are cleaned, long ones cut; what is no JSON at all is kept as Python shows it.
    """
    payload = _payload(item)
    fields = payload if isinstance(payload, dict) else {"item": payload}
    url = _text(fields.get("url"), 2_000)
    # As much as an index entry holds in any alphabet.
    external_id = _text(fields.get("external_id"), 500)
    reason = clean_line(drop_unstorable(reason))[:500]
    subject = external_id or url or msgspec.json.encode(payload, order="deterministic").decode()
    fingerprint = blake2b("\0".join((spider, subject, reason)).encode(), digest_size=16).hexdigest()
    return msgspec.json.encode(
        {
            "run_id": run_id,
            "spider": spider,
            "url": url,
            "external_id": external_id,
            "reason": reason,
            "payload": fields,
            "fingerprint": fingerprint,
        }
    )


async def insert_rejections(connection: AsyncConnection, lines: Iterable[bytes]) -> None:
    """Store rejections that `rejection_line` made; one that is there already is renewed."""
    newest = {msgspec.json.decode(line)["fingerprint"]: line for line in lines}
    if newest:
        document = b"[" + b",".join(newest.values()) + b"]"
        await connection.execute(_INSERT, {"rows": document.decode()})


def _payload(item: object) -> Any:
    try:
        payload = _bounded(clean_json(_builtins(item)))
        if len(msgspec.json.encode(payload)) <= _LARGEST_PAYLOAD:
            return payload
    except Exception:  # noqa: S110 - a cycle, a depth, a number that JSON has no room for: shown instead
        pass
    try:
        shown = repr(item)
    except Exception:
        shown = object.__repr__(item)
    return drop_unstorable(shown[:_LONGEST_TEXT])


def _builtins(item: object) -> Any:
    plain = asdict(item) if is_dataclass(item) and not isinstance(item, type) else item
    return msgspec.to_builtins(plain, enc_hook=repr, str_keys=True, builtin_types=(bytes,))


def _text(value: object, longest: int) -> str | None:
    return str(value)[:longest] if value not in (None, "") else None


def _bounded(value: Any) -> Any:
    if isinstance(value, bytes):
        return repr(value[:_LONGEST_TEXT])
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, dict):
        return {key[:200]: _bounded(inner) for key, inner in list(value.items())[:500]}
    if isinstance(value, list):
        return [_bounded(inner) for inner in value[:500]]
    return value
