"""Read the flat arrays of ``devalue``, in which Nuxt 3 writes the state of a page (``__NUXT_DATA__``).

The array's first element is the whole; objects and arrays hold the places of their members in the array. What JSON
cannot say is a list that begins with a type's name, or a negative number in the place of a place.
"""

from __future__ import annotations

import json
from typing import Any

_CONSTANTS: dict[int, Any] = {
    -1: None,  # undefined
    -2: None,  # a hole in an array
    -3: float("nan"),
    -4: float("inf"),
    -5: float("-inf"),
    -6: -0.0,
}
_SPARSE = -7
_MOST_HOLES = 1_000_000
_LONGEST_INTEGER = 1_000
# The types that devalue itself knows and that hold more than one place, or none.
_CONTAINERS = frozenset({"Set", "Map", "null"})
_TEXTS = frozenset(
    {"Date", "URL", "URLSearchParams", "ArrayBuffer", "DataView"}
    | {f"{kind}{bits}Array" for kind in ("Int", "Uint") for bits in (8, 16, 32)}
    | {"Uint8ClampedArray", "Float16Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"}
    | {f"Temporal.{kind}" for kind in ("Duration", "Instant", "ZonedDateTime")}
    | {f"Temporal.Plain{kind}" for kind in ("Date", "Time", "DateTime", "MonthDay", "YearMonth")}
)
_SCALARS = _TEXTS | {"RegExp", "BigInt", "Object"}
_OWN = _CONTAINERS | _SCALARS
_EMPTY_REFS = frozenset({"EmptyRef", "EmptyShallowRef"})
_UNFINISHED = object()


class PathMissing(ValueError):
    """The state is readable, but has nothing in the place that was asked for."""


def unflatten(flat: object, *path: str | int) -> Any:
    """Return what a decoded ``devalue`` array stands for, or what of it is at `path`.

    With a path only what lies there is made. Dates, addresses and regular expressions are texts, binary data is
    base64 text, a Set is a list, a Map a dict (or a list of pairs, when its keys are no texts or numbers),
    ``undefined`` and holes are ``None``, and so is what versions of devalue write alike and mean differently: boxed
    numbers, and views of a part of a buffer. Vue's wrappers (``Reactive``, ``Ref`` and the like) give what they
    wrap; so does any type of the page's own, since such a type is always written as its name and one place.
    What stands in several places is the same object in each, and an object can hold itself.

    Raises `PathMissing` when there is nothing at `path`, and `ValueError` when this is no such array, with the
    name of the type when it has a form that is not known.
    """
    if type(flat) is int and not path:
        return _constant(flat)
    if not isinstance(flat, list) or not flat:
        raise ValueError(f"a devalue array is a list that is not empty, not {type(flat).__name__}")
    state = _State(flat)
    place = 0
    for step in path:
        place = state.member(place, step)
    return state.whole(place)


def _constant(place: int) -> Any:
    if place not in _CONSTANTS:
        raise ValueError(f"{place} is neither a place nor a constant")
    return _CONSTANTS[place]


def _tag(raw: object) -> str | None:
    return raw[0] if isinstance(raw, list) and raw and isinstance(raw[0], str) else None


class _State:
    """What has been made of an array so far. Nothing recurses: containers are filled from a list of open ones."""

    def __init__(self, flat: list[Any]) -> None:
        self._flat = flat
        self._made: dict[int, Any] = {}
        self._open: list[tuple[Any, Any]] = []
        self._holes = 0

    def whole(self, place: object) -> Any:
        """Make the value at a place, with all that it holds."""
        value = self._value(place)
        while self._open:
            raw, container = self._open.pop()
            self._fill(raw, container)
        return value

    def member(self, place: object, step: str | int) -> int:
        """Return the place of a member of the object or array at a place."""
        raw = self._unwrapped(place)
        found: Any = None
        if isinstance(raw, dict) and isinstance(step, str):
            found = raw.get(step)
        elif _tag(raw) == "null":
            found = dict(zip(raw[1::2], raw[2::2], strict=False)).get(step)
        elif isinstance(raw, list) and _tag(raw) is None and isinstance(step, int) and 0 <= step < len(raw):
            found = raw[step]
        if type(found) is not int:
            raise PathMissing(f"no {step!r} in the state")
        return found

    def _unwrapped(self, place: object) -> Any:
        passed: set[int] = set()
        while True:
            raw = self._raw(place)
            tag = _tag(raw)
            if tag is None or tag in _OWN or not self._is_wrapper(raw):
                return raw
            if raw[1] in passed:
                raise ValueError(f"{tag!r} wraps itself")
            place = raw[1]
            passed.add(raw[1])

    @staticmethod
    def _is_wrapper(raw: Any) -> bool:
        return len(raw) == 2 and type(raw[1]) is int

    def _raw(self, place: object) -> Any:
        if type(place) is not int:
            raise ValueError(f"a place in a devalue array is a whole number, not {type(place).__name__}")
        if place < 0:
            return _constant(place)
        if place >= len(self._flat):
            raise ValueError(f"place {place} is behind the end of a devalue array of {len(self._flat)}")
        return self._flat[place]

    def _value(self, place: object) -> Any:
        """Return the value at a place; a container is empty until it is filled."""
        wrappers: list[tuple[int, str]] = []
        while True:
            raw = self._raw(place)
            if not isinstance(raw, (dict, list)) or not isinstance(place, int):
                value = raw
                break
            if place in self._made:
                value = self._made[place]
                if value is _UNFINISHED:
                    raise ValueError(f"{_tag(raw)!r} wraps itself")
                break
            tag = _tag(raw)
            if tag is None or tag in _OWN:
                value = self._made[place] = self._new(raw, tag)
                break
            if not self._is_wrapper(raw):
                raise ValueError(f"unknown devalue type {tag[:40]!r}")
            self._made[place] = _UNFINISHED
            wrappers.append((place, tag))
            place = raw[1]
        for wrapper, tag in reversed(wrappers):
            value = self._made[wrapper] = _empty_ref(value) if tag in _EMPTY_REFS else value
        return value

    def _new(self, raw: Any, tag: str | None) -> Any:
        container: Any
        if isinstance(raw, dict) or tag == "null":
            container = {}
        elif tag == "Map":
            # Whether all keys can be keys is seen before any of them is made.
            simple = all(isinstance(self._raw(key), (str, int, float, type(None))) for key in raw[1::2])
            container = {} if simple else []
        elif tag in _SCALARS:
            return self._scalar(raw, str(tag))
        elif isinstance(raw, list):
            container = []
        else:
            return raw
        self._open.append((raw, container))
        return container

    def _fill(self, raw: Any, container: Any) -> None:
        tag = _tag(raw)
        if isinstance(raw, dict):
            for key, place in raw.items():
                container[key] = self._value(place)
        elif tag in ("null", "Map"):
            if len(raw) % 2 == 0:
                raise ValueError(f"a devalue {tag!r} that is not made of pairs")
            for key, place in zip(raw[1::2], raw[2::2], strict=True):
                name = key if tag == "null" else self._value(key)
                if isinstance(container, list):
                    container.append([name, self._value(place)])
                elif isinstance(name, (dict, list)):
                    raise ValueError(f"a devalue {tag!r} with a key that is none")
                else:
                    container[name] = self._value(place)
        elif tag == "Set":
            container.extend(map(self._value, raw[1:]))
        elif raw and raw[0] == _SPARSE and type(raw[0]) is int:
            self._fill_sparse(raw, container)
        else:
            container.extend(map(self._value, raw))

    def _fill_sparse(self, raw: list[Any], container: list[Any]) -> None:
        length, positions, places = (raw[1] if len(raw) > 1 else None), raw[2::2], raw[3::2]
        if type(length) is not int or length < 0 or len(positions) != len(places):
            raise ValueError("a sparse devalue array without a length or places")
        self._holes += length
        if self._holes > _MOST_HOLES:
            raise ValueError(f"sparse devalue arrays with more than {_MOST_HOLES} places")
        container.extend([None] * length)
        for position, place in zip(positions, places, strict=True):
            if type(position) is not int or not 0 <= position < length:
                raise ValueError("a sparse devalue array with a member outside of it")
            container[position] = self._value(place)

    def _scalar(self, raw: list[Any], tag: str) -> Any:
        value = raw[1] if len(raw) > 1 else None
        if tag in _TEXTS and isinstance(value, str):
            # The text of an invalid date is empty.
            return value or None
        if tag == "RegExp" and all(isinstance(part, str) for part in raw):
            return f"/{value}/{raw[2] if len(raw) > 2 else ''}"
        if tag == "BigInt" and (type(value) is int or isinstance(value, str)):
            return _integer(value)
        if tag == "Object" and (value is None or isinstance(value, (str, bool, int, float))):
            # From 5.7 on it is the place of a boxed value, before the value: a number could be either.
            return None if type(value) is int else value
        if tag in _TEXTS and len(raw) == 2 and type(value) is int:
            return self._text_at(value, tag)
        if tag in _TEXTS and len(raw) == 4 and all(type(number) is int for number in raw[1:]):
            # A part of a buffer: from and to in elements, from 5.7 on the first byte and how many elements.
            return None
        raise ValueError(f"unknown form of the devalue type {tag!r}")

    def _text_at(self, place: int, tag: str) -> str:
        raw = self._raw(place)
        if _tag(raw) == "ArrayBuffer" and len(raw) == 2:
            raw = raw[1]
        if not isinstance(raw, str):
            raise ValueError(f"unknown form of the devalue type {tag!r}")
        return raw


def _integer(value: str | int) -> int:
    if isinstance(value, str) and len(value) > _LONGEST_INTEGER:
        raise ValueError(f"a BigInt of {len(value)} digits")
    try:
        return int(value)
    except ValueError:
        raise ValueError("a BigInt that is no whole number") from None


def _empty_ref(value: Any) -> Any:
    """Return what an empty reference holds: JSON text, ``_`` for undefined, ``0n`` for a BigInt of zero."""
    if not isinstance(value, str):
        return value
    if value == "_":
        return None
    if value == "0n":
        return 0
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("an EmptyRef that is not readable") from None
