"""Every named maximum of the product, with its reason. A limit that is not here does not exist."""

MESSAGE_BYTES = 65_536
"""Canonical JSON of one message: the contract's 64 KiB; far below the server's 2 MB, above any honest form."""

MESSAGE_LEVELS = 32
"""Lists and objects inside one another in a message: a form has five levels, and what a run keeps is written as JSON again and
again by readers that give up near 200."""

FILES = 600
"""File references in one message: more do not fit into it, and each that does not fit in itself is told with five faults."""

DEFINITION_BYTES = 262_144
"""A definition file before parsing: parsers are slow and deep on hostile text."""

DEFINITIONS_SHARED = 64
"""Definitions, as chosen by variants, that a process keeps for all runs that began with them: of the largest that is shared, as long as
`DEFINITION_BYTES`, two megabytes. One that is not among them is read by each run for itself."""

ITEMS = 500
"""Items of one definition: ten times the largest shipped one, and what a run looks at in one turn stays below half a second, but for
what docs/hostile-input.md names."""

STAGES = 100
"""Stages of one definition; nobody follows more."""

CALENDARS = 100
"""Calendars of one definition: as many as anybody can keep right."""

VALUES_CHECKED = 60_000
"""Values of a definition times the sets of its variants that can hold together: each set is checked as a definition of its own,
and a check takes less than two seconds."""

VARIANT_LENGTH = 500
"""Characters of the name of variants that hold together: it stands in an index, and PostgreSQL writes no entry over 2,700 bytes."""

ORDER_BYTES = 1_048_576
"""A start order: half of what the server takes as one payload, so that a run can carry it across continue-as-new."""

CONTENT_BYTES = 393_216
"""What was delivered to a run and is kept by it (answers, facts, drafts, early messages): three quarters of what it may hold
at all, so that whoever steers it still can when nothing more can be delivered."""

STATE_BYTES = 524_288
"""All that messages have put into a run, the reasons of waivers among it: it travels with the run."""

CARRIED_BYTES = 1_835_008
"""Order and state together when a run continues as new; the server terminates a run at 2 MB."""

HOOK_BYTES = 1_048_576
"""What one hook is told: half of what the server takes, as the order; facts that outgrow it are no facts any more."""

NOTICE_BYTES = 131_072
"""The lines of one notice: nobody reads more, and a notice fits into one batch of rows."""

VERDICT_BYTES = 16_384
"""One verdict; an update result over 2 MB would terminate the run."""

PATTERN_WORK = 20_000_000
"""Steps of the patterns of one form times the characters that its fields may have: a fifth of a second at the worst."""

PATTERN_TEXT = 200
"""Characters up to which a text that is too long for its field is matched all the same, so that one try tells everything."""

NEAREST_TOLD = 5
"""Unknown fields of one message that are answered with the nearest known one: among thousands each takes milliseconds."""

FAULTS_TOLD = 50
"""Faults listed in one verdict: more do not help the sender and would outgrow the verdict."""

MESSAGE_ID_LENGTH = 128
"""Characters of a message id: the contract's figure."""

TEXT_LENGTH = 4_000
"""Characters of a free text (comment, reason, note)."""

SENTENCE_LENGTH = 500
"""Characters of one sentence that we make, keep or show: of a fault, a trail entry, a verdict, a read."""

TITLE_LENGTH = 120
"""Characters of a title or sentence part that a read repeats: titles are short, a file may hold any."""

SENTENCES_TOLD = 20
"""Sentences of one list (what keeps a gate, what an answer lacks): more is not read."""

STATUS_ROWS = 1_000
"""Items, stages, names of one `status`: a query answer over 2 MB is refused by the server."""

COVER_BYTES = 4_096
"""The cover sheet: it travels in an address, and proxies stop at 8 KB of that."""

NAME_LENGTH = 64
"""Characters of a name we repeat from outside, in the refused list and on the cover sheet."""

ATTRIBUTE_LENGTH = 200
"""Characters of a search attribute: the server terminates a run whose Keyword value passes 2,048 bytes."""

REMEMBERED_MESSAGES = 4_000
"""Message ids remembered for the life of a run: 0.9 MB with usual ids and names, never more than 1.5 MB, so that it still fits
when the run continues as new. Beyond it only what ends the run is accepted; old ids are never forgotten."""

REMEMBERED_ID_BYTES = 64
"""UTF-8 bytes of a message id remembered as it is: twice a UUID's; longer ones are remembered by their digest."""

REFUSED_KEPT = 100
"""Refused signals listed; older ones are counted and stand in the rows."""

TRAIL_KEPT = 400
"""Trail entries a run carries; all of them stand in the rows."""

TRAIL_TEXT = 131_072
"""Characters of long sentences (notes, reasons) in the trail that a run carries; all of them stand in the rows."""

CHANGES_SHORT = 20
"""An entry of the trail that changed more rows than this counts as a long one."""

CHANGE_LENGTH = 40
"""About how many bytes one changed value takes."""

EVENTS_KEPT = 200
"""Events to the outside that a run carries, a quarter of a kilobyte each; all of them stand in the rows."""

LEDGER_KEPT = 1_000
"""Booked intervals a run carries. Older ones stand in the rows; the sums by side go on, so that they always add up."""

PROMISES_KEPT = 300
"""Dates told to the customer that a run carries: each once for each change; older ones are counted."""

FORECAST_RUNS = 10
"""Finished runs below which their range says less than the plan does, and their median nothing about a customer."""

HISTORY_RUNS = 60
"""Finished runs, the latest, that a start order carries for its forecast: some 12 KB with seven stages."""

HOLDS_KEPT = 200
"""Holds remembered because they moved a date that is still to come; a run that is held more often is not led but left."""

CALENDARS_REPLACED = 100
"""Replacements of a calendar that a run remembers, so that time that is over stays counted as it was."""

ZONE_CHANGES = 100
"""Changes of offset in the zone of a message: twenty-five years of a zone that changes four times a year."""

HOLIDAYS = 500
"""Days off in the calendar of a message, as many as in a definition."""

HELD_MESSAGES = 50
"""Early messages kept for items that are not open."""

NEXT_TOLD = 10
"""Open items named in a verdict."""

HELD_BYTES = 131_072
"""All early messages together: what is kept travels with the run."""

PAGE = 100
"""Rows of one page of a query that can grow."""

EVENTS_PER_RUN = 1_500
"""History events after which a run continues as new: reading it again then takes less than two seconds of a busy machine."""

EVENTS_PER_FIRST_RUN = 2_000
"""The same for runs with the first rules, whose histories may be that long already: another figure would stop them."""

HISTORY_BYTES = 1_048_576
"""History size after which a run continues as new."""

MESSAGES_PER_RUN = 500
"""Messages after which a run continues as new."""

ROWS_PER_TURN_BYTES = 262_144
"""One `write_records` input; larger batches are split, because an activity input over 2 MB terminates the run."""

SIGNALS_PER_TURN = 100
"""Signals applied in one workflow task; what came beside them waits for the next, a moment later. A worker that was away finds
thousands at once, and a task over two seconds of computing is given up and tried again for ever. Recorded runs hold to it: another
figure needs another number in `engine/rules.py`."""

SIGNAL_BYTES_PER_TURN = 524_288
"""The same in bytes of signals as they came: large ones cost more."""

INSTANTS_PER_TURN = 150
"""Reminders, deadlines and steps that the clock acts on in one workflow task, for the same reason; the rest follow a second later."""

EFFECTS_IN_FLIGHT = 200
"""Activities started and not finished; further effects wait in the run's queue."""
