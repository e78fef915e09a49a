"""LZString's compressed texts, as Wishket's addresses carry their queries.

A dictionary coder over UTF-16 code units: 0 and 1 announce a new unit of 8 or 16 bits, 2 ends the text, any higher
code is a known phrase. Bits of a code come lowest first and are cut into characters of six, highest first. The
package ``lzstring`` takes characters beyond the basic plane for one unit (an emoji comes back as another
character), answers damaged texts with IndexError or KeyError, and has no bound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

LONGEST = 1_000_000
"""UTF-16 code units that a text may have; a few kilobytes can stand for gigabytes."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BYTE, _UNIT, _END = 0, 1, 2
_CHARACTER_BITS = 6


def compress_to_base64(text: str) -> str:
    """Return `text` as ``LZString.compressToBase64`` writes it, padded with ``=``."""
    bits = "".join(_codes(text))
    # At least one bit more, always: so does the original.
    bits += "0" * (_CHARACTER_BITS - len(bits) % _CHARACTER_BITS)
    sixes = [bits[at : at + _CHARACTER_BITS] for at in range(0, len(bits), _CHARACTER_BITS)]
    packed = "".join([_ALPHABET[int(six, 2)] for six in sixes])
    return packed + "=" * (-len(packed) % 4)


def decompress_from_base64(packed: str, *, longest: int = LONGEST) -> str:
    """Return the text in a value of ``LZString.compressToBase64``; raises `ValueError` when it is none."""
    # A plus sign that was decoded as a blank on the way is still one.
    packed = packed.replace(" ", "+").strip().rstrip("=")
    # No unit needs as many bits as seven characters have.
    if len(packed) > 7 * (longest + 1):
        raise ValueError(f"a compressed text of {len(packed)} characters is too long")
    values = {character: f"{value:06b}" for value, character in enumerate(_ALPHABET)}
    try:
        bits = "".join([values[character] for character in packed])
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is not in the alphabet of a compressed text") from None
    units: list[str] = []
    length = 0
    for phrase in _phrases(bits):
        length += len(phrase)
        if length > longest:
            raise ValueError(f"a compressed text that stands for more than {longest} characters")
        units.append(phrase)
    return "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class _Width:
    """How many bits a code has: it grows with each power of two of codes that were given out."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._left = 1 << (bits - 1)

    def spend(self) -> None:
        self._left -= 1
        if not self._left:
            self._left = 1 << self.bits
            self.bits += 1


def _codes(text: str) -> Iterator[str]:
    """Give the bits of each code."""
    width = _Width(2)
    phrases: dict[str, int] = {}
    unsent: set[str] = set()

    def code_of(phrase: str) -> str:
        if phrase in unsent:
            unsent.remove(phrase)
            unit = ord(phrase)
            code = (
                _bits(_BYTE, width.bits) + _bits(unit, 8) if unit < 256 else _bits(_UNIT, width.bits) + _bits(unit, 16)
            )
            width.spend()
            return code
        return _bits(phrases[phrase], width.bits)

    phrase = ""
    for unit in _units(text):
        if unit not in phrases:
            phrases[unit] = len(phrases) + 3
            unsent.add(unit)
        longer = phrase + unit
        if longer in phrases:
            phrase = longer
            continue
        yield code_of(phrase)
        width.spend()
        phrases[longer] = len(phrases) + 3
        phrase = unit
    if phrase:
        yield code_of(phrase)
        width.spend()
    yield _bits(_END, width.bits)


def _phrases(bits: str) -> Iterator[str]:
    """Give the phrases that the codes stand for; raises `ValueError` where a code stands for none."""
    at = 0

    def take(count: int) -> int:
        nonlocal at
        taken = bits[at : at + count]
        if len(taken) < count:
            raise ValueError("a compressed text without its end")
        at += count
        return int(taken[::-1], 2)

    # The first three places are the codes that are no phrases.
    known = ["", "", ""]
    width = _Width(2)
    previous = ""
    while (code := take(width.bits)) != _END:
        if code in (_BYTE, _UNIT):
            phrase = chr(take(8 if code == _BYTE else 16))
            known.append(phrase)
            if previous:
                width.spend()
        elif code < len(known):
            phrase = known[code]
        elif code == len(known) and previous:
            phrase = previous + previous[0]
        else:
            raise ValueError("a compressed text with a phrase that it does not have")
        if previous:
            known.append(previous + phrase[0])
            width.spend()
        else:
            width = _Width(3)
        yield phrase
        previous = phrase


def _bits(number: int, count: int) -> str:
    return f"{number:0{count}b}"[::-1]


def _units(text: str) -> list[str]:
    """Return the UTF-16 code units of a text, one character each."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    return list(map(chr, struct.unpack(f"<{len(encoded) // 2}H", encoded)))
