"""A statement as a client sends it: what kind it is, which format it names and where the data of an INSERT begin."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"\s+|--[^\n]*|#[! ][^\n]*|/\*.*?\*/"  # what does not count
    rb"|'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`|\w+|.",
    re.DOTALL,
)
_IGNORED = (b"--", b"# ", b"#!", b"/*")
_ANSWERS = {b"SELECT", b"WITH", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK", b"KILL", b"("}


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` is all of it; or, of an INSERT with a format, what stands before SETTINGS and FORMAT.

    `settings` is then the SETTINGS clause and `data` where its rows begin.
    `format` is what the text itself names, "" if it names none; `answers` says whether a result comes back, `several`
    whether another statement follows, which HTTP does not take.
    """

    text: bytes
    format: str = ""
    data: int | None = None
    answers: bool = False
    several: bool = False
    settings: bytes = b""


def read(text: bytes) -> Statement:
    r"""Read as far as needed; the rows of an INSERT are never looked at.

    >>> s = read(b"insert into t (a) /* FORMAT */ settings b=1 format JSONEachRow\n{}")
    >>> s.text, s.settings, s.format, s.data
    (b'insert into t (a) /* FORMAT */ ', b'settings b=1 ', 'JSONEachRow', 63)
    >>> read(b"SELECT 'FORMAT x' FORMAT CSV;").format
    'CSV'
    """
    words: list[bytes] = []
    depth, named, opens, sets, ended, several = 0, "", -1, -1, False, False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token.isspace() or token.startswith(_IGNORED):
            continue
        several, ended = several or (ended and token != b";"), ended or token == b";"
        word = token.upper()
        depth += (token == b"(") - (token == b")")
        if opens >= 0 and words[-1] == b"FORMAT":
            named = token.decode(errors="replace")
            if words[0] == b"INSERT":
                at = sets if sets >= 0 else opens
                return Statement(text[:at], named, _rows(text, match.end()), settings=text[at:opens])
        elif words and words[0] == b"INSERT" and depth == 0 and word in (b"SELECT", b"WITH", b"VALUES", b"FROM"):
            return Statement(text)
        if word == b"SETTINGS" and depth == 0 and sets < 0:
            sets = match.start()
        if word == b"FORMAT" and depth == 0 and words:
            opens = match.start()
        if len(words) < 2 or word == b"FORMAT" or words[-1] == b"FORMAT":
            words.append(word)
    return Statement(text, named, None, bool(words) and words[0] in _ANSWERS, several)


def _rows(text: bytes, at: int) -> int:
    """Where rows begin: after blanks, at most one semicolon and one line end, as the server has it."""
    found = re.compile(rb"[ \t\f]*;?[ \t\f]*\r?\n?").match(text, at)
    return found.end() if found else at


def words(text: str) -> list[str]:
    r"""The words and signs of a statement in capitals, quoted names among them; what stands in strings is left out.

    >>> words("SELECT `file`('/x') FROM t INTO OUTFILE 'it\\'s'")
    ['SELECT', 'FILE', '(', ')', 'FROM', 'T', 'INTO', 'OUTFILE']
    """
    tokens = (match.group() for match in _TOKEN.finditer(text.encode()))
    told = [t for t in tokens if not t.isspace() and not t.startswith((*_IGNORED, b"'"))]
    return [t.strip(b'`"').decode(errors="replace").upper() for t in told]
