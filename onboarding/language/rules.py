"""Every rule a definition can break, in one table: the names are stable, tools may rely on them."""

from dataclasses import dataclass, field

from onboarding.errors import Fault, Severity
from onboarding.language.places import Document, Path, spell


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name, what breaking it does, and what it asks for in one sentence."""

    name: str
    severity: Severity
    meaning: str


def _rules(severity: Severity, table: str) -> dict[str, Rule]:
    found = {}
    for line in table.strip().splitlines():
        name, meaning = line.strip().split(None, 1)
        found[name] = Rule(name, severity, meaning)
    return found


RULES: dict[str, Rule] = {
    **_rules(
        "error",
        """
        cannot_read           The file can be opened and read.
        too_large             A file has at most 256 KiB.
        not_utf8              A file is UTF-8 text.
        control_character     Text holds no control characters and no halves of characters.
        empty_file            A file says something.
        not_a_mapping         A file is one mapping of keywords.
        syntax                A file is well-formed YAML.
        several_documents     A file is one document.
        too_deep              Nesting has at most 32 levels.
        too_many_values       A file holds at most 10,000 values.
        too_many_items        A definition has at most 500 items, 100 stages and 100 calendars.
        tab                   Indentation and gaps are blanks, not tabs.
        anchor                Anchors and aliases are not used: what is written is what counts.
        merge_key             Merge keys (`<<`) are not used.
        tag                   Tags (`!x`) are not used.
        directive             Directives (`%YAML`) are not used.
        key_not_text          A key is a text.
        duplicate_key         A key stands once in a mapping.
        bad_number            A number is finite and has at most 18 digits.
        not_built_yet         The keyword belongs to the language, and this release does not do it yet.
        unknown_schema        `schema` is onboarding/v1.
        unknown_key           Only known keywords are used.
        missing_key           Required keywords are given.
        empty_value           A keyword that is written has a value.
        wrong_type            A value has the type its keyword asks for.
        wrong_value           A value is one of those its keyword knows.
        too_long              Texts and lists stay below their limits.
        bad_duration          A duration is a whole number and one unit, such as 3bd.
        bad_position          A position is `due`, an offset such as +2bd, or a share such as 80%.
        bad_id                An id is lower-case letters, digits and `_`, and no word of the condition language.
        bad_date              A date is written YYYY-MM-DD.
        bad_week              A week is a range or a list of days from mon to sun.
        bad_hours             Hours are windows HH:MM-HH:MM that begin before they end and do not overlap.
        wrong_unit            A duration that no calendar counts is written in wall-clock units.
        duplicate_id          An id is used once; stages and items share their names.
        duplicate_milestone   A milestone belongs to one stage.
        no_items              A stage has at least one item.
        role_source           A role has exactly one of from, value, contact, group.
        assign_without_group  `assign_after` is for a role that a group has.
        unknown_role          A role is declared under `roles`.
        unknown_name          `needs`, `reopen` and `four_eyes` name items or stages that exist.
        unknown_item          An item is named that exists.
        unknown_input         An input is named that is declared.
        unknown_policy        A plan is named that is declared under `policies`.
        unknown_calendar      A clock or fallback names a calendar that exists.
        unknown_zone          A zone is one of the IANA data base.
        unknown_country       A country or subdivision is one whose public holidays are known.
        no_working_time       A calendar has working time.
        no_shared_hours       `clock: both` is used where both sides share working hours.
        due_too_far           A due date lies within a hundred years of working time.
        unknown_activity      An activity is registered in this installation.
        unknown_template      A template is registered in this installation.
        unknown_group         A group is registered in this installation.
        unknown_webhook       A webhook is one of this installation.
        unknown_event         An event is declared under `signals`, or under `emit` one that runs tell.
        told_twice            `emit` names a webhook once, and an event once for each.
        unknown_field         A check looks at fields of its own request.
        unknown_fact          A fact is named that some item gives.
        unknown_milestone     A milestone is named that some stage sets.
        unknown_outcome       An outcome is named that the approval has.
        wrong_input_type      An input has a type that fits its use.
        calendar_source       A calendar has either `tz` or `from`.
        calendar_circle       Fallbacks of calendars end at a calendar with a zone.
        wrong_side            Requests are owned by a customer role, tasks by a provider role; no ladder gives a decision to the other side.
        deputy_side           A deputy is on the same side.
        deputy_chain          Deputies form chains of at most 3 links and no circle.
        no_deputy             A ladder that turns to the deputy is used where somebody has one.
        no_answer             A request says what counts as an answer.
        enum_values           An enum has values; other types have none.
        default_type          A default fits the type and bounds of its input.
        bound_not_used        Bounds are for types that have a size.
        min_over_max          A lower bound is not above the upper bound.
        bad_pattern           A pattern is written in the linear-time syntax RE2.
        pattern_not_used      A pattern is for text.
        asked_twice           A fact is asked once.
        cycle                 Needs do not go round in a circle.
        needs_too_late        Nothing needs what can come only after it.
        self_need             Nothing needs itself.
        reminder_step         A reminder has either `at` or `every` with `max`.
        ladder_step           A ladder step has what its action needs.
        steps_out_of_order    Steps stand in time order.
        step_before_open      A ladder step does not lie before the item opens.
        digest_unread         A digest or a least gap is for a file whose items remind somebody.
        silence_unread        A longest silence is for a file in which a customer role owns an item.
        gap_over_silence      The least gap is not longer than the longest silence.
        quorum_unmet          A quorum can be met by different entitled people.
        handoff_shape         A handoff accepts or sends back what another role of ours did.
        owner_and_owners      An approval has `owner` or `owners`.
        reserved_outcome      Outcomes are not called escalate, pass, fail or skip.
        no_passing_outcome    An approval has an outcome that passes.
        reopens_itself        An approval reopens other items, not itself.
        override_without_gate A gate that can be waived has conditions.
        event_elsewhere       A signal fulfils the item that waits for this event.
        metric_shape          A metric is an interval (from and to), a sum, or a count.
        bad_reference         A metric refers to milestones.x, items.x or input.x.
        goal_family           A goal has the unit family of its clock.
        stage_action          An action on entering or leaving is a notice with a template, or a hook.
        ask_budget            The worst case stays within the ask budget.
        condition_syntax      A condition is a well-formed expression.
        condition_type        A condition is true or false, and its parts fit together.
        condition_too_long    A condition has at most 500 characters.
        condition_function    Conditions use only the functions of the language.
        condition_nesting     `all` and `exists` are not nested, brackets at most 20 deep.
        unknown_reference     A condition refers to declared inputs, facts, items and milestones.
        input_only            The condition of a variant refers to inputs only.
        never_true            A condition can become true.
        variant_target        A variant changes stages and items that exist.
        variant_override_id   Ids are for life: an override does not change them.
        too_many_variants     The variants that can hold together stay countable.
        """,
    ),
    **_rules(
        "warning",
        """
        unused_role           A declared role is used.
        unused_policy         A declared plan is used.
        unused_input          A declared input is used.
        unused_milestone      A milestone is used.
        optional_in_gate      A gate on an optional item makes it required.
        target_too_short      The stage targets fit into the target of the file.
        due_over_target       An item is due within the target of its stage.
        deputy_missing        Where a ladder turns to the deputy, the owner has one.
        in_order_alone        An order of deciding has several owners.
        match_may_lack        What an event is matched by is always given.
        no_calendar           Business time has a declared provider calendar.
        always_true           A condition can become false.
        """,
    ),
}


@dataclass(slots=True)
class Faults:
    """Collects faults of one document. With `known` names, a fault about such a name is left out.

    That is for documents of which broken parts were taken out: what stood there must not be reported as missing.
    """

    document: Document
    known: frozenset[str] = frozenset()
    found: list[Fault] = field(default_factory=list)

    def add(self, rule: str, path: Path, message: str, *, key: bool = False, name: str | None = None) -> None:
        """Note that `rule` is broken at `path` (at the key itself when `key`); `name` is the wrong word."""
        if name is not None and name in self.known:
            return
        place = self.document.place(path)
        line, column = (place.key_line, place.key_column) if key else (place.line, place.column)
        self.found.append(Fault(line, column, rule, RULES[rule].severity, message, spell(path)))

    def add_in_text(self, rule: str, path: Path, message: str, line: int, column: int) -> None:
        """The same for a fault inside a text, `line` and `column` counted from 1 within it."""
        place = self.document.place(path)
        if place.text is None or line != 1:
            self.add(rule, path, message)
        else:
            at = Fault(place.line, place.text + column - 1, rule, RULES[rule].severity, message, spell(path))
            self.found.append(at)


def in_line_order(faults: list[Fault]) -> list[Fault]:
    """Sorted by place, each once."""
    unique = dict.fromkeys(faults)
    return sorted(unique, key=lambda fault: (fault.line, fault.column, fault.rule, fault.message))
