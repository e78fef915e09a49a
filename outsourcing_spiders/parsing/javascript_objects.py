"""What JavaScript's own objects become here, when data are written as calls that make them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def the_only(given: list[Any]) -> Any:
    """Return the one argument of a call; raises `ValueError` when there are none or more."""
    if len(given) != 1:
        raise ValueError(f"a call with {len(given)} arguments")
    return given[0]


def _list(given: list[Any]) -> list[Any]:
    value = the_only(given) if given else []
    if not isinstance(value, list):
        raise ValueError("a collection that is not made of a list")
    return value


def _map(given: list[Any]) -> dict[Any, Any] | list[Any]:
    """Return key and value pairs as a dict, or as they are when some key can be none in Python."""
    pairs = _list(given)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("a Map that is not made of pairs")
    if any(isinstance(key, (dict, list)) for key, _ in pairs):
        return pairs
    return dict(pairs)


def _date(given: list[Any]) -> str | None:
    value = the_only(given)
    if isinstance(value, str) or value is None:
        return value or None
    if type(value) not in (int, float) or value != value:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object_without_prototype(given: list[Any]) -> dict[str, Any]:
    """Return the object of ``Object.create(null,{a:{writable:true,enumerable:true,value:1}})``."""
    prototype, members = given if len(given) == 2 else (the_only(given), {})
    if prototype is not None or not isinstance(members, dict):
        raise ValueError("an object that inherits, or whose members are not described")
    if not all(isinstance(member, dict) for member in members.values()):
        raise ValueError("an object with a member that is not described")
    return {name: member.get("value") for name, member in members.items()}


BUILT_IN: dict[str, Callable[[list[Any]], Any]] = {
    "Date": _date,
    "Map": _map,
    "Set": _list,
    "URL": the_only,
    "Object": the_only,
    "BigInt": lambda given: int(str(the_only(given))[:100]),
    "Object.create": _object_without_prototype,
}
"""What the arguments of a call make, by the name that is called; raises `ValueError` where they make nothing."""
