"""The part of Jinja that a letter may be written in: it shows what it is given, and computes nothing.

Jinja's sandbox keeps a template from Python; it does not keep it from counting for an hour or doubling a text forty times. So a
template is made of text, values, conditions, loops over what is given, blocks, and a few filters. Everything else (arithmetic,
macros, calls, imports, files) is refused when it is read, with its line, and what remains is counted while it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import BaseLoader, StrictUndefined, TemplateSyntaxError, nodes, pass_context, pass_eval_context
from jinja2.filters import sync_do_join
from jinja2.runtime import BlockReference, Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from onboarding.nearest import nearest

MOST_CHARACTERS: Final = 256 * 1024
"""Of what is rendered."""
MOST_STEPS: Final = 20_000
"""Turns of all loops of one rendering."""
MOST_SOURCE: Final = 64 * 1024
"""Characters of one template file."""

_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.For, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter, nodes.Test, nodes.Block,
    nodes.Extends, nodes.Assign, nodes.Tuple, nodes.List, nodes.Call, nodes.Keyword,
)  # fmt: skip
_WORDS: Final = {
    "CallBlock": "call", "FilterBlock": "filter", "AssignBlock": "set with a body", "FromImport": "from", "Macro": "macro",
    "Import": "import", "Include": "include", "With": "with", "Slice": "[:]", "Dict": "{}", "NSRef": "namespace",
    "Concat": "~", "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**", "Neg": "-", "Pos": "+",
}  # fmt: skip
_OF_LOOPS: Final = ("loop", "super")
BUDGET: Final = "_budget"
"""The name under which a rendering is handed its budget; no template can say it."""


class TooMuch(Exception):
    """A template writes more, or goes on for longer, than a letter may."""


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """One thing in a template that cannot be used; `sentence` says what and names the way out."""

    line: int
    code: str
    sentence: str


@dataclass(slots=True)
class Budget:
    """How many turns of loops one rendering may still make."""

    steps: int = MOST_STEPS

    def step(self) -> None:
        """One turn of a loop. Raises `TooMuch`."""
        self.steps -= 1
        if self.steps < 0:
            raise TooMuch("steps")


class LetterEnvironment(ImmutableSandboxedEnvironment):
    """An environment for one folder order. `readable`: the classes whose fields a template may see."""

    def __init__(self, loader: BaseLoader, readable: tuple[type, ...]) -> None:
        super().__init__(
            loader=loader, undefined=StrictUndefined, autoescape=lambda name: bool(name and name.endswith(".html.j2")),
            trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False, auto_reload=False, cache_size=200,
        )  # fmt: skip
        self._readable = readable
        self.globals.clear()
        kept = (
            "default",
            "d",
            "length",
            "count",
            "upper",
            "lower",
            "capitalize",
            "trim",
            "first",
            "last",
            "escape",
            "e",
        )
        self.filters = {name: self.filters[name] for name in kept} | {"join": _join, "_step": _step}
        kept = ("defined", "undefined", "none", "eq", "equalto", "==", "ne", "!=", "in", "string", "true", "false")
        self.tests = {name: self.tests[name] for name in kept}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only fields of values that were made to be shown."""
        return isinstance(obj, (*self._readable, LoopContext)) and not attr.startswith("_") and not callable(value)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only the block of the layout that a block stands in for."""
        return isinstance(obj, BlockReference)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The template as it is run: refused where it says what no letter may, else with its loops counted."""
        if len(source) > MOST_SOURCE:
            raise TemplateSyntaxError(f"a template has at most {MOST_SOURCE // 1024} KiB", 1, name, filename)
        tree = super()._parse(source, name, filename)
        for fault in refused(tree):
            raise TemplateSyntaxError(fault.sentence, fault.line, name, filename)
        return _counted(tree, self)


def refused(tree: nodes.Template) -> Iterator[TemplateFault]:
    """Everything that a template says and may not."""
    for node in _all(tree):
        line = getattr(node, "lineno", None) or 1
        kind = type(node).__name__
        if not isinstance(node, _ALLOWED):
            said = _WORDS.get(kind, kind.lower())
            sentence = f"A letter computes nothing: {said!r} cannot stand here. It may show values, test them, and loop over them."
            yield TemplateFault(line, "not_in_a_letter", sentence)
        elif isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Name) and node.node.name == "super"):
            yield TemplateFault(line, "not_in_a_letter", "A letter calls nothing but super(): take the brackets out.")
        elif isinstance(node, nodes.Extends) and not isinstance(node.template, nodes.Const):
            yield TemplateFault(line, "not_in_a_letter", "What a template extends is named in quotes.")
        elif (name := _named(node)).startswith("_"):
            yield TemplateFault(line, "not_in_a_letter", f"No name here begins with an underscore: {name[:60]!r}.")


def unknown_names(
    tree: nodes.Template, known: Mapping[str, Sequence[str]], each: Mapping[str, Sequence[str]]
) -> Iterator[TemplateFault]:
    """Variables that no letter has, and fields that a known one has not; each with the nearest name, in whatever branch it stands.

    `known`: the variables with their fields, where they have any; `each`: those that hold several values, with the fields of one.
    """
    own: dict[str, Sequence[str]] = {
        node.name: () for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")
    }
    for loop in tree.find_all(nodes.For):
        if isinstance(loop.target, nodes.Name) and isinstance(loop.iter, nodes.Name):
            own[loop.target.name] = each.get(loop.iter.name, ())
    for node in tree.find_all((nodes.Name, nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            field, around = _field(node), _fields(node.node, known, own, each)
            if field is not None and around is not None and field not in around[1]:
                sentence = f"{around[0]!r} has no {field[:60]!r}{nearest(field, around[1]) or '.'}"
                yield TemplateFault(node.lineno, "unknown_variable", sentence)
        elif isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in (*known, *own, *_OF_LOOPS):
            sentence = f"No letter has a value {node.name[:60]!r}{nearest(node.name, known) or '.'}"
            yield TemplateFault(node.lineno, "unknown_variable", sentence)


def _field(node: nodes.Getattr | nodes.Getitem) -> str | None:
    """What is asked of a value by name: `.title`, or `['title']`."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _fields(
    node: nodes.Node,
    known: Mapping[str, Sequence[str]],
    own: Mapping[str, Sequence[str]],
    each: Mapping[str, Sequence[str]],
) -> tuple[str, Sequence[str]] | None:
    """A value, as a sentence names it, and its fields, of which a text or a list has none; `None` for what is known only when it is used."""
    if isinstance(node, nodes.Name):
        if node.name in own:
            return (node.name, own[node.name]) if own[node.name] else None
        return (node.name, known[node.name]) if node.name in known else None
    one = isinstance(node, nodes.Getitem) or (isinstance(node, nodes.Filter) and node.name in ("first", "last"))
    several = node.node if one and isinstance(node, nodes.Getitem | nodes.Filter) else None
    if isinstance(several, nodes.Name) and several.name in each and several.name not in own:
        return several.name, each[several.name]
    return None


def rendered(chunks: Iterable[str]) -> str:
    """What a template writes. Raises `TooMuch` as soon as it is more than a letter may be."""
    found: list[str] = []
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > MOST_CHARACTERS:
            raise TooMuch("characters")
        found.append(chunk)
    return "".join(found)


def _all(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _all(child)


def _named(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name | nodes.Filter | nodes.Test | nodes.Block | nodes.Keyword):
        return str(getattr(node, "name", ""))
    return node.attr if isinstance(node, nodes.Getattr) else ""


def _counted(tree: nodes.Template, environment: ImmutableSandboxedEnvironment) -> nodes.Template:
    for loop in list(tree.find_all(nodes.For)):
        step = nodes.Output([nodes.Filter(nodes.Const(""), "_step", [], [], None, None)])
        step.set_lineno(loop.lineno)
        step.set_environment(environment)
        loop.body.insert(0, step)
    if next(tree.find_all(nodes.Extends), None) is None:
        tree.body = [_apart(node, environment) for node in tree.body]
    return tree


def _apart(node: nodes.Node, environment: ImmutableSandboxedEnvironment) -> nodes.Node:
    """A text that extends nothing has its subject in it, and does not say it where it stands."""
    if not isinstance(node, nodes.Block) or node.name != "subject":
        return node
    never = nodes.If(nodes.Const(False), [node], [], [])
    never.test.set_lineno(node.lineno)
    never.lineno = node.lineno
    never.environment = never.test.environment = environment
    return never


@pass_context
def _step(context: Context, value: str) -> str:
    context[BUDGET].step()
    return value


@pass_eval_context
def _join(eval_ctx: Any, parts: Iterable[Any], between: str = "") -> Any:
    """As Jinja's own, for as much as a letter holds: chained, it makes a text a hundred times as long with each link."""
    kept = list(parts)
    if sum(len(str(one)) + len(str(between)) for one in kept) > MOST_CHARACTERS:
        raise TooMuch("characters")
    return sync_do_join(eval_ctx, kept, between)
