"""White space and control characters, folded in one way by cleaning and by every tokenizer.

The classes are regular expressions that mean the same to Python's `re` and to the engine of `tokenizers`:
what Python calls white space (`str.isspace`), and what shows nothing: the other control characters (Unicode
category Cc), the byte order mark, soft hyphens, word joiners, and marks of writing direction. Zero-width spaces and
joiners stay: some scripts write with them.
"""

import re

WHITE_SPACE = "[\t\n\x0b\x0c\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
INVISIBLE = "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"

_RUN = re.compile(f"{WHITE_SPACE}+")
_INVISIBLE = re.compile(INVISIBLE)


def fold(text: str) -> str:
    """The text without invisible characters, its runs of white space as one space, none at the ends."""
    return _RUN.sub(" ", _INVISIBLE.sub("", text)).strip(" ")
