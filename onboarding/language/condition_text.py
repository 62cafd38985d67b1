"""What a condition's text names and calls, read word by word.

The expression itself is parsed, type-checked and evaluated by the CEL package (`expressions.py`). This file
finds the names in it, so that a wrong one can be answered with the nearest right one, and turns `has(facts.x)`
into a plain variable, because CEL knows presence only for maps and our facts are declared one by one.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

ROOTS = ("input", "facts", "items", "milestones", "debt")
CONSTANTS = ("true", "false", "null", "in")
METHODS = ("size", "startsWith", "endsWith", "contains", "all", "exists")
FUNCTIONS = ("has", "size")
LOOPS = ("all", "exists")

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>[0-9][0-9A-Za-z.]*)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<comment>//)
      | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, string, number or operator, and where it begins in the text."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A dotted name such as input.segment; `asked` when it stands in has(…)."""

    names: tuple[str, ...]
    at: int
    first: int
    last: int
    asked: bool = False

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything known of a text without knowing a definition."""

    text: str
    tokens: tuple[Token, ...]
    references: tuple[Reference, ...]
    calls: tuple[Token, ...]
    nested: Token | None
    stray: int | None
    rewritten: str


@lru_cache(maxsize=4_096)
def read(text: str) -> Reading:
    """Find names, calls and the first character that no condition has."""
    tokens, stray = _tokens(text)
    bound = tuple(tokens[index + 2].text for index in range(len(tokens) - 3) if _opens_loop(tokens, index))
    references: list[Reference] = []
    calls: list[Token] = []
    rewritten = list(text)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind != "word":
            index += 1
            continue
        last = index
        while last + 2 < len(tokens) and tokens[last + 1].text == "." and tokens[last + 2].kind == "word":
            last += 2
        words = tokens[index : last + 1 : 2]
        called = last + 1 < len(tokens) and tokens[last + 1].text == "("
        if called:
            calls.append(words[-1])
            words = words[:-1]
        after_dot = index > 0 and tokens[index - 1].text == "."
        if words and not after_dot and words[0].text not in (*CONSTANTS, *bound):
            asked = _is_asked(tokens, index, last) and not called
            if asked and words[0].text in ROOTS:
                rewritten[tokens[index - 1].at] = "."
                rewritten[tokens[last + 1].at] = " "
            names = tuple(word.text for word in words)
            references.append(Reference(names, token.at, index, index + 2 * (len(words) - 1), asked))
        index = last + 1
    return Reading(text, tokens, tuple(references), tuple(calls), _nested(tokens), stray, "".join(rewritten))


def _tokens(text: str) -> tuple[tuple[Token, ...], int | None]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup == "comment":
            return tuple(found), at
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return tuple(found), None


def _opens_loop(tokens: tuple[Token, ...], index: int) -> bool:
    word, bracket, name, comma = tokens[index : index + 4]
    return word.text in LOOPS and bracket.text == "(" and name.kind == "word" and comma.text == ","


def _is_asked(tokens: tuple[Token, ...], first: int, last: int) -> bool:
    return (
        first >= 2
        and tokens[first - 2].text == "has"
        and tokens[first - 1].text == "("
        and last + 1 < len(tokens)
        and tokens[last + 1].text == ")"
    )


def _nested(tokens: tuple[Token, ...]) -> Token | None:
    """The first loop inside another loop: together they could take very long."""
    brackets: list[bool] = []
    for index, token in enumerate(tokens):
        if token.text == "(":
            loop = index > 0 and tokens[index - 1].text in LOOPS
            if loop and any(brackets):
                return tokens[index - 1]
            brackets.append(loop)
        elif token.text == ")" and brackets:
            brackets.pop()
    return None


def compared_texts(reading: Reading, reference: Reference) -> tuple[Token, ...]:
    """The string literals that a reference is compared with by ==, != or in."""
    tokens, before, after = reading.tokens, reference.first - 1, reference.last + 1
    found: list[Token] = []
    if after + 1 < len(tokens) and tokens[after].text in ("==", "!="):
        found.append(tokens[after + 1])
    if before >= 1 and tokens[before].text in ("==", "!="):
        found.append(tokens[before - 1])
    if after + 1 < len(tokens) and tokens[after].text == "in" and tokens[after + 1].text == "[":
        for token in tokens[after + 2 :]:
            if token.text == "]":
                break
            found.append(token)
    return tuple(token for token in found if token.kind == "string" and "\\" not in token.text)
