"""Read data written as JavaScript: object literals, and the function call that old Nuxt pages wrap them in.

Nothing is run. JSON decoders refuse such texts, and ``chompjs`` reads most of them, but gives names that it does not
know, ``undefined`` and ``!0`` among them, as texts, and fails at holes, hexadecimal numbers and ``\\x`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from outsourcing_spiders.parsing.javascript_objects import BUILT_IN, the_only

DEEPEST = 1_000
"""Objects and arrays within each other; what is deeper is refused."""
_MOST_HOLES = 1_000_000

_BLANK = re.compile(r"(?:[\s\ufeff]|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_MAY_BE_BLANK = frozenset(character for character in map(chr, range(0x3001)) if character.isspace()) | {"/", "\ufeff"}
_STRINGS = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
    "`": re.compile(r"`([^`\\]*(?:\\.[^`\\]*)*)`", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
# A backslash at the end of a line continues the string on the next.
_ESCAPED |= dict.fromkeys(("\n", "\r", "\r\n", "\u2028", "\u2029"), "")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(
    r"(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+)n?(?![\w$.])"
    r"|((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w$.])"
)
_NAME = re.compile(r"[^\W0-9][\w$]*|\$[\w$]*")
_CALLED = re.compile(r"(?:new\s+)?([A-Z][\w$]*(?:\.create)?)\s*\(")
_FUNCTION = re.compile(r"\(?\s*function(?:\s+[\w$]+)?\s*\(([\w$\s,]*)\)\s*\{")
_STRUCTURE = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|\'[^\'\\]*(?:\\.[^\'\\]*)*\'|`[^`\\]*(?:\\.[^`\\]*)*`|//[^\n\r]*|/\*.*?\*/|[{}"\'`/]',
    re.DOTALL,
)
_CONSTANTS: dict[str, Any] = {
    "null": None,
    "undefined": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
}


def read_literal(text: str, at: int = 0) -> tuple[Any, int]:
    """Return the value that begins at `at`, and where it ends.

    Objects, arrays (holes are ``None``), texts in any quotes, numbers, ``undefined`` (``None``), ``!0``, ``void 0``,
    comments, trailing commas, and what serialisers write of built-in types: ``new Date(…)`` gives an ISO text,
    ``new Map(…)`` a dict, ``new Set(…)`` a list. Raises `ValueError` that names the place for anything else:
    expressions, functions, names.
    """
    reader = _Reader(text, at, {})
    return reader.value(), reader.at


def read_call(text: str, at: int = 0) -> tuple[Any, int]:
    """Return what ``(function(a,b){a.x=1;return {…}}(1,"x"))`` returns, and where the call ends.

    That is how Nuxt 2 writes the state of a page: parameters stand for values that occur often, and
    assignments fill in objects that occur twice or refer to themselves. So the result can hold the same object
    in several places, and itself. Raises `ValueError` when anything else is in the function.
    """
    head = _FUNCTION.match(text, at)
    if head is None:
        raise ValueError(f"no function call at character {at}")
    parameters = [name.strip() for name in head[1].split(",")] if head[1].strip() else []
    after = _end_of_block(text, head.end())
    caller = _Reader(text, after, {})
    if caller.peek() == ")":
        caller.at += 1
    arguments = caller.arguments()
    if text[at] == "(" and caller.peek() == ")":
        caller.at += 1
    # Parameters without an argument are undefined.
    names = dict.fromkeys(parameters) | dict(zip(parameters, arguments, strict=False))
    return _Reader(text, head.end(), names).body(), caller.at


def _end_of_block(text: str, at: int) -> int:
    depth = 1
    for found in _STRUCTURE.finditer(text, at):
        part = found[0]
        if part == "{":
            depth += 1
        elif part == "}":
            depth -= 1
            if not depth:
                return found.end()
        elif len(part) == 1:
            # Going on behind an open quote would look for its end again at each quote that follows.
            raise ValueError(f"unexpected {part!r} at character {found.start()}")
    raise ValueError("the function has no end")


@dataclass(slots=True)
class _Frame:
    """An object, array or call that is being read."""

    closing: str
    members: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    target: Any = None
    finish: Callable[[list[Any]], Any] | None = None

    def add(self, value: Any) -> None:
        if self.closing == "}":
            self.target[self.keys.pop()] = value
        else:
            self.target.append(value)

    def result(self) -> Any:
        return self.target if self.finish is None else self.finish(self.target)


class _Reader:
    """One pass over a text, without recursion."""

    def __init__(self, text: str, at: int, names: Mapping[str, Any]) -> None:
        self.text, self.at, self.names = text, at, names
        self._holes = 0

    def peek(self) -> str:
        """Go to the next character that means something; "" at the end."""
        character = self.text[self.at : self.at + 1]
        if character in _MAY_BE_BLANK and (blank := _BLANK.match(self.text, self.at)) is not None:
            self.at = blank.end()
            character = self.text[self.at : self.at + 1]
        return character

    def expect(self, *characters: str) -> str:
        character = self.peek()
        if character not in characters or not character:
            raise self.unexpected()
        self.at += 1
        return character

    def unexpected(self) -> ValueError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "end"
        return ValueError(f"unexpected {found} at character {self.at}")

    def value(self) -> Any:
        frames: list[_Frame] = []
        while True:
            if (frame := self._opened()) is not None:
                if len(frames) >= DEEPEST:
                    raise ValueError(f"nested deeper than {DEEPEST} at character {self.at}")
                frames.append(frame)
                if not self._closed(frame):
                    continue
                value = frames.pop().result()
            else:
                value = self._scalar()
            while frames:
                frames[-1].add(value)
                if self.expect(",", frames[-1].closing) == "," and not self._closed(frames[-1]):
                    break
                value = frames.pop().result()
            else:
                return value

    def arguments(self) -> list[Any]:
        """Read the arguments of a call."""
        self.expect("(")
        found: list[Any] = []
        while self.peek() != ")":
            found.append(self.value())
            if self.expect(",", ")") == ")":
                return found
        self.at += 1
        return found

    def body(self) -> Any:
        """Run assignments up to ``return``, and return what that returns."""
        while True:
            name = self._name()
            if name == "return":
                value = self.value()
                if self.peek() == ";":
                    self.at += 1
                self.expect("}")
                return value
            if name not in self.names:
                raise ValueError(f"{name[:40]!r} is no parameter, at character {self.at}")
            self._assign(self.names[name])
            self.expect(";", ",")

    def _assign(self, target: Any) -> None:
        key: Any = None
        while True:
            step = self.expect(".", "[", "=")
            if step == "=":
                break
            if key is not None:
                target = _member(target, key)
            if step == ".":
                key = self._name()
            else:
                key = self.value()
                self.expect("]")
        value = self.value()
        if isinstance(target, dict) and isinstance(key, str):
            target[key] = value
        elif isinstance(target, list) and type(key) is int and key >= 0:
            if key >= len(target):
                target.extend(self._empty([key + 1 - len(target)]))
            target[key] = value
        else:
            raise ValueError(f"an assignment that cannot be made, at character {self.at}")

    def _opened(self) -> _Frame | None:
        character = self.peek()
        if character == "{":
            self.at += 1
            return _Frame("}", target={})
        if character == "[":
            self.at += 1
            return _Frame("]", target=[])
        if ("A" <= character <= "Z" or character == "n") and (called := _CALLED.match(self.text, self.at)):
            if (finish := self._empty if called[1] == "Array" else BUILT_IN.get(called[1])) is None:
                raise ValueError(f"a call of {called[1][:40]!r} at character {self.at}")
            self.at = called.end()
            return _Frame(")", target=[], finish=finish)
        return None

    def _closed(self, frame: _Frame) -> bool:
        """Go to the frame's next value; true when there is none and the frame is closed."""
        while True:
            character = self.peek()
            if character == frame.closing:
                self.at += 1
                return True
            if frame.closing == "}":
                frame.keys.append(self._key(character))
                self.expect(":")
                return False
            if character != "," or frame.closing != "]":
                return False
            self.at += 1
            frame.target.append(None)

    def _key(self, character: str) -> str:
        if character in _STRINGS and character != "`":
            return self._string(character)
        if character.isdigit() or character == ".":
            return str(self._number())
        return self._name()

    def _name(self) -> str:
        self.peek()
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self.unexpected()
        self.at = name.end()
        return name[0]

    def _scalar(self) -> Any:
        character = self.peek()
        if character in _STRINGS:
            return self._string(character)
        if not character or character in "0123456789.":
            return self._number()
        if character in "+-":
            self.at += 1
            return self._signed(character)
        if character == "!":
            self.at += 1
            return not self._number()
        name = self._name()
        if name == "void":
            self._number()
            return None
        if name in self.names:
            return self.names[name]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        raise ValueError(f"{name[:40]!r} is no literal, at character {self.at - len(name)}")

    def _signed(self, sign: str) -> int | float:
        number: int | float
        if self.text.startswith("Infinity", self.at):
            self.at += len("Infinity")
            number = _CONSTANTS["Infinity"]
        else:
            number = self._number()
        if sign == "+":
            return number
        return -number or -0.0

    def _number(self) -> int | float:
        self.peek()
        number = _NUMBER.match(self.text, self.at)
        if number is None:
            raise self.unexpected()
        self.at = number.end()
        if number[1] is None:
            return float(number[2])
        # A leading zero alone does not make a number octal here, as it does not in JSON's successors.
        return int(number[1], 0) if number[1][1:2].isalpha() else int(number[1])

    def _string(self, quote: str) -> str:
        string = _STRINGS[quote].match(self.text, self.at)
        if string is None:
            raise ValueError(f"a text without end at character {self.at}")
        if quote == "`" and "${" in string[1]:
            raise ValueError(f"a template with expressions at character {self.at}")
        self.at = string.end()
        if "\\" not in string[1]:
            return string[1]
        text = _ESCAPE.sub(_unescape, string[1])
        if _SURROGATE.search(text):
            # Halves of one character, written as two escapes.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return text

    def _empty(self, given: list[Any]) -> list[None]:
        length = the_only(given) if given else 0
        if type(length) is not int or length < 0:
            raise ValueError(f"an array of no length at character {self.at}")
        self._holes += length
        if self._holes > _MOST_HOLES:
            raise ValueError(f"more than {_MOST_HOLES} empty places at character {self.at}")
        return [None] * length


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1]
    if len(code) == 1:
        return _ESCAPED.get(code, code)
    if code in _ESCAPED:
        return _ESCAPED[code]
    number = int(code[1:].strip("{}"), 16)
    if number > 0x10FFFF:
        raise ValueError("an escape beyond Unicode")
    return chr(number)


def _member(target: Any, key: Any) -> Any:
    try:
        return target[key]
    except (KeyError, IndexError, TypeError):
        raise ValueError("an assignment to what is not there") from None
