"""Text messages of a WebSocket client as bytes (RFC 6455, section 5): one unbroken, masked frame each.

`websockets` builds frames too, through an object and a system call for each; several orders that leave together share both here.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without its wheel
    from websockets.utils import apply_mask

_MASK_BYTES = 4
_FINAL_TEXT = 0x81
_MASKED = 0x80
_LENGTH_16, _LENGTH_64 = 126, 127
_short = struct.Struct("!BB").pack
_medium = struct.Struct("!BBH").pack
_long = struct.Struct("!BBQ").pack


def text_frames(payloads: Sequence[bytes]) -> bytes:
    """The frames of these messages one after the other, each under a mask of its own that nobody can foresee."""
    masks = os.urandom(_MASK_BYTES * len(payloads))
    parts: list[bytes] = []
    at = 0
    for payload in payloads:
        mask = masks[at : at + _MASK_BYTES]
        at += _MASK_BYTES
        length = len(payload)
        if length < _LENGTH_16:
            header = _short(_FINAL_TEXT, _MASKED | length)
        elif length < 65_536:
            header = _medium(_FINAL_TEXT, _MASKED | _LENGTH_16, length)
        else:
            header = _long(_FINAL_TEXT, _MASKED | _LENGTH_64, length)
        parts += (header, mask, apply_mask(payload, mask))
    return b"".join(parts)
