"""What a condition must be to be accepted: short, of known names, functions and values, and true or false.

`expressions.py` compiles and evaluates; here the author is told what is wrong, where, and what was probably meant.
"""

from onboarding.language.condition_text import FUNCTIONS, METHODS, ROOTS, Reading, Reference, compared_texts, read
from onboarding.language.expressions import MAX_CONDITION, Declarations, Problem, program_of
from onboarding.nearest import nearest

STATUSES = ("not_ready", "open", "answered", "in_review", "returned", "done", "skipped", "waived", "cancelled")
_ITEM_PARTS = ("status", "done", "outcome")


def check(declarations: Declarations, text: str) -> tuple[Problem, ...]:
    """Everything wrong with a condition; nothing when it may be evaluated."""
    if len(text) > MAX_CONDITION:
        sentence = f"A condition has at most {MAX_CONDITION} characters, found {len(text)}: split it, or make a fact of a part."
        return (Problem("condition_too_long", sentence),)
    reading = read(text)
    if reading.stray is not None:
        return (_stray(reading),)
    problems = [*_functions(reading), *_names(declarations, reading)]
    if problems:
        return tuple(problems)
    compiled = program_of(declarations, text)
    if isinstance(compiled, Problem):
        return (compiled,)
    problems += _values(declarations, reading)
    if not reading.references and not problems:
        rule, word = ("always_true", "true") if compiled.evaluate({}).holds else ("never_true", "false")
        problems.append(
            Problem(rule, f"The condition refers to nothing and is always {word}: remove it, or name an input or fact.")
        )
    return tuple(problems)


def _place(text: str, at: int) -> tuple[int, int]:
    line = text.count("\n", 0, at) + 1
    return line, at - (text.rfind("\n", 0, at) + 1) + 1


def _stray(reading: Reading) -> Problem:
    at = reading.stray or 0
    found = reading.text[at]
    hints = {
        "=": "compare with ==",
        "&": "write && for and",
        "|": "write || for or",
        "'": "close the text with '",
        '"': 'close the text with "',
    }
    hint = hints.get(found, "see the operators in the description of the language")
    return Problem(
        "condition_syntax", f"The character {found!r} does not belong here: {hint}.", *_place(reading.text, at)
    )


def _functions(reading: Reading) -> list[Problem]:
    problems = []
    for token in reading.calls:
        known = (*FUNCTIONS, *METHODS)
        if token.text not in known and token.text not in ("in",):
            way_out = nearest(token.text, known) or f"; known: {', '.join(dict.fromkeys(known))}."
            problems.append(
                Problem(
                    "condition_function",
                    f"Conditions have no function {token.text!r}{way_out}",
                    *_place(reading.text, token.at),
                )
            )
    if reading.nested:
        sentence = f"{reading.nested.text!r} stands inside another `all` or `exists`: split the condition."
        problems.append(Problem("condition_nesting", sentence, *_place(reading.text, reading.nested.at)))
    return problems


def _names(declarations: Declarations, reading: Reading) -> list[Problem]:
    problems = []
    for reference in reading.references:
        problem = _unknown(declarations, reference)
        if problem:
            line, column = _place(reading.text, reference.at)
            problems.append(Problem("unknown_reference", problem[0], line, column, problem[1]))
    return problems


def _unknown(declarations: Declarations, reference: Reference) -> tuple[str, str] | None:
    root, rest = reference.names[0], reference.names[1:]
    if root == "debt":
        return None
    tables: dict[str, tuple[str, ...]] = {
        "input": tuple(declarations.inputs),
        "facts": tuple(declarations.facts),
        "items": tuple(declarations.items),
        "milestones": declarations.milestones,
    }
    if root not in tables:
        full = [f"{table}.{name}" for table in ("input", "facts", "milestones") for name in tables[table]]
        same = [name for name in full if name.endswith(f".{root}")]
        way_out = f"; did you mean {same[0]!r}?" if same else nearest(str(reference), [*full, *ROOTS]) or _roots()
        return f"{root!r} is not known in conditions{way_out}", root
    if not rest:
        return f"{root!r} alone says nothing: write {root}.name{'.done' if root == 'items' else ''}.", root
    if rest[0] not in tables[root]:
        what = {"input": "input", "facts": "fact", "items": "item", "milestones": "milestone"}[root]
        hint = (
            nearest(rest[0], tables[root]).replace("did you mean '", f"did you mean '{root}.")
            or "; declare it, or correct the name."
        )
        return f"There is no {what} {rest[0]!r}{hint}", rest[0]
    if root == "items" and (len(rest) < 2 or rest[1] not in _ITEM_PARTS):
        part = rest[1] if len(rest) > 1 else ""
        return (
            f"An item has status, done and outcome: write items.{rest[0]}.done{nearest(part, _ITEM_PARTS)}",
            f"{rest[0]}.{part}",
        )
    return None


def _roots() -> str:
    return "; conditions refer to input.x, facts.x, items.x.done, milestones.x and debt."


def _values(declarations: Declarations, reading: Reading) -> list[Problem]:
    problems = []
    for reference in reading.references:
        known = _known_values(declarations, reference)
        for token in compared_texts(reading, reference) if known else ():
            if token.text[1:-1] not in known:
                hint = nearest(token.text[1:-1], known) or f"; it is one of {', '.join(known)}."
                sentence = f"{str(reference)!r} is never {token.text[1:-1]!r}{hint}"
                problems.append(Problem("never_true", sentence, *_place(reading.text, token.at)))
    return problems


def _known_values(declarations: Declarations, reference: Reference) -> tuple[str, ...]:
    names = reference.names
    if len(names) == 2 and names[0] in ("input", "facts"):
        table = declarations.inputs if names[0] == "input" else declarations.facts
        return table[names[1]].values
    if len(names) == 3 and names[2] == "status":
        return STATUSES
    return declarations.items[names[1]] if len(names) == 3 and names[2] == "outcome" else ()
