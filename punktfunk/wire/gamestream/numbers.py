"""Numbers in the text of a stranger: read tolerantly, bounded strictly.

Peers read them with atoi or alike (Sunshine src/utility.h, from_view), so blanks around a number and junk
behind it are fine; a number out of range is not, and neither is one too long to be converted cheaply.
"""

from re import ASCII
from re import compile as regex
from typing import Final

from punktfunk.errors import RemoteProtocolError

_NUMBER: Final = regex(r"[ \t]*([+-]?\d{1,20})(\d?)", ASCII)
_SHOWN_CHARACTERS: Final = 40


def shown(text: str) -> str:
    """Return the text as an error may quote it: short, and with nothing that a terminal obeys."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def parse_number(name: str, text: str, low: int, high: int) -> int:
    """Read the leading decimal number of ``text``, low..high, both included; ``name`` is for the error."""
    match = _NUMBER.match(text)
    if match is None:
        raise RemoteProtocolError(f"{name} is {shown(text)}, a number was expected")
    number = int(match[1])
    if match[2] or not low <= number <= high:
        raise RemoteProtocolError(f"{name} is {shown(text)}, outside {low}..{high}")
    return number


def parse_hex(name: str, text: str, low_bytes: int, high_bytes: int) -> bytes:
    """Bytes written as hex of either case, ``low_bytes``..``high_bytes`` of them."""
    if not low_bytes * 2 <= len(text) <= high_bytes * 2:
        raise RemoteProtocolError(f"{name} has {len(text)} digits, outside {low_bytes * 2}..{high_bytes * 2}")
    # bytes.fromhex alone would skip white space between the pairs.
    if not text.isascii() or not text.isalnum():
        raise RemoteProtocolError(f"{name} is no hex: {shown(text)}")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RemoteProtocolError(f"{name} is no hex: {shown(text)}") from None
