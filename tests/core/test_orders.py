"""Start orders: who is who, which calendars count, and every fault of a start input at once."""

# ruff: noqa: SIM300 – tests put the expected value first

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine.calendars import Zone
from onboarding.engine.order_text import read_order, write_order
from onboarding.engine.orders import HolidaysOf, build_order
from onboarding.engine.roster import Person
from onboarding.engine.state import RunState, StartOrder
from onboarding.errors import StartRefused
from onboarding.language.model import (
    CalendarRule,
    Definition,
    Field,
    FieldType,
    Item,
    ItemKind,
    LadderStep,
    Region,
    Role,
    RoleSource,
    Side,
    Stage,
    StepAction,
)
from onboarding.language.units import Duration, Offset, Share, Unit

CONTACTS = (
    {"role": "champion", "email": "ana@customer.example", "name": "Ana", "tz": "Europe/Paris"},
    {"role": "admin", "email": "ben@customer.example", "name": "Ben", "handle": "Ben.O"},
)
INPUT = {"sales_owner": "Sam@Provider.example", "signed_at": "2026-11-20T10:00:00+01:00", "contacts": list(CONTACTS)}


@dataclass(frozen=True)
class OneDefinition:
    """A compiled file without variants."""

    definition: Definition

    @property
    def inputs(self) -> tuple[Field, ...]:
        return self.definition.inputs

    def choose(self, inputs: Mapping[str, Any]) -> Definition:
        return self.definition


def role(name: str, side: str, source: str, ref: str, deputy: str | None = None) -> Role:
    return Role(id=name, side=Side(side), source=RoleSource(source), ref=ref, deputy=deputy)


ROLES = (
    role("sales", "provider", "from", "sales_owner"),
    role("lead", "provider", "value", "Team-Lead@provider.example"),
    role("engineering", "provider", "group", "implementation"),
    role("champion", "customer", "contact", "champion"),
    role("sponsor", "customer", "contact", "sponsor"),
)
ITEM = Item(
    id="details",
    title="Details",
    kind=ItemKind.REQUEST,
    stage="intake",
    owner="champion",
    owners=("champion",),
    side=Side.CUSTOMER,
    clock="customer",
    due=Duration(3, Unit.BUSINESS_DAY),
    ladder=(
        LadderStep(at=Share(80), do=StepAction.NOTIFY, to=("sales",)),
        LadderStep(at=Offset(1, Duration(2, Unit.BUSINESS_DAY)), do=StepAction.NOTIFY, to=("lead",)),
    ),
    fields=(Field(name="x", type=FieldType.NUMBER, min=1, max=2.5),),
)
DEFINITION = Definition(
    schema="onboarding/v1",
    id="b2b-test",
    version=1,
    title="Test",
    hash="abc",
    stages=(Stage(id="intake", title="Intake", owner="sales", items=("details",)),),
    items=(ITEM,),
    roles=ROLES,
    inputs=(
        Field(name="customer_id", type=FieldType.STRING, required=True),
        Field(name="sales_owner", type=FieldType.EMAIL, required=True),
        Field(name="signed_at", type=FieldType.DATETIME, required=True),
        Field(name="sso", type=FieldType.BOOL, default=False),
        Field(name="contacts", type=FieldType.CONTACTS, required=True),
    ),
    calendars=(
        CalendarRule(id="provider", tz="Europe/Berlin", holidays=("2026-12-25",)),
        CalendarRule(id="customer", source="contacts.tz", hours=((600, 960),), fallback="provider"),
    ),
)


def zone(name: str) -> Zone:
    if name not in ("Europe/Berlin", "Europe/Paris", "UTC"):
        raise ValueError(name)
    return Zone(name=name, transitions=((0, 3_600),))


def build(
    definition: Definition = DEFINITION,
    customer: str = "c-1042",
    groups: Mapping[str, Any] | None = None,
    holidays: HolidaysOf | None = None,
    **given: Any,
) -> tuple[StartOrder, tuple[Person, ...]]:
    inputs = {name: value for name, value in {**INPUT, **given}.items() if value is not ...}
    more = {} if holidays is None else {"holidays": holidays}
    return build_order(
        OneDefinition(definition),
        customer=customer,
        inputs=inputs,
        zones=zone,
        groups=groups or {},
        started_by="Dana",
        **more,
    )


def order_of(*args: Any, **given: Any) -> StartOrder:
    return build(*args, **given)[0]


def refusal(*args: Any, **given: Any) -> list[tuple[str, str]]:
    with pytest.raises(StartRefused) as refused:
        build(*args, **given)
    return [(fault.place, fault.code) for fault in refused.value.faults]


def test_an_order_names_run_customer_and_starter() -> None:
    """The run's name is its workflow id; the customer's key fills the input that repeats it."""
    order = order_of()

    assert "onboarding/c-1042/b2b-test" == order.run
    assert ("c-1042", "dana") == (order.customer, order.started_by)
    assert "c-1042" == order.inputs["customer_id"]
    assert ("2026-11-20T09:00:00Z", False) == (order.inputs["signed_at"], order.inputs["sso"])


def test_every_role_has_its_handles() -> None:
    """Mail addresses give the part before the @, contacts their role or their own handle, groups their members in order."""
    people = order_of(groups={"implementation": ["zoe@provider.example", "Ada"]}).people

    assert {
        "sales": ("sam",),
        "lead": ("team-lead",),
        "engineering": ("zoe", "ada"),
        "champion": ("customer:champion",),
    } == people


def test_a_group_without_known_members_stands_for_itself() -> None:
    """An installation that knows no members still has somebody to address."""
    assert ("implementation",) == order_of().people["engineering"]


def test_the_language_of_a_contact_stays_outside_of_the_run() -> None:
    """It is kept with the address: a run says the same to every reader."""
    order, directory = build(contacts=[{**CONTACTS[0], "language": "pt-BR"}, CONTACTS[1]])

    assert "pt-br" not in write_order(order).lower()
    assert [("customer:champion", "pt-BR")] == [(one.handle, one.language) for one in directory if one.language]


def test_no_address_and_no_name_enters_the_run() -> None:
    """The run holds handles; who stands behind them leaves as a directory."""
    order, directory = build()
    text = write_order(order).lower()

    assert not any(word in text for word in ("sam@", "team-lead@", "ana@", "ben@", '"ana"', '"ben"'))
    assert "sam" == order.inputs["sales_owner"]
    assert [
        {"role": "champion", "handle": "customer:champion", "tz": "Europe/Paris"},
        {"role": "admin", "handle": "ben.o"},
    ] == order.inputs["contacts"]
    assert ("customer:champion", "ben.o") == order.customer_contacts
    assert {
        Person(
            handle="customer:champion", role="champion", email="ana@customer.example", name="Ana", tz="Europe/Paris"
        ),
        Person(handle="ben.o", role="admin", email="ben@customer.example", name="Ben"),
        Person(handle="sam", role="sales", email="Sam@provider.example"),
        Person(handle="team-lead", role="lead", email="Team-Lead@provider.example"),
        Person(handle="implementation", role="engineering"),
    } == set(directory)


@pytest.mark.parametrize(
    ("mail", "handle"),
    [
        ("Sam.O-1@x.example", "sam.o-1"),
        ("sam+tag@x.example", "sam-tag"),
        ("o'brien@x.example", "o-brien"),
        ("_x@x.example", "x"),
    ],
)
def test_any_address_gives_a_handle(mail, handle) -> None:
    """What a handle cannot hold becomes a dash: an address that works must not refuse a start."""
    assert (handle,) == order_of(sales_owner=mail).people["sales"]


def test_each_contact_counts_in_their_own_zone() -> None:
    """One calendar for each contact with a zone, the first of them for the customer, the fallback for who has none."""
    order = order_of()

    assert ["customer", "customer:customer:champion", "provider"] == sorted(order.calendars)
    assert "Europe/Paris" == order.calendars["customer"].zone.name
    assert ((600, 960),) == order.calendars["customer"].hours
    assert (date(2026, 12, 25),) == order.calendars["provider"].holidays
    assert {"customer:champion": "customer:customer:champion", "ben.o": "provider"} == order.calendar_of


WITH_COUNTRY = replace(
    DEFINITION,
    calendars=(
        CalendarRule(id="provider", tz="Europe/Berlin", holidays=("2026-12-24",), regions=(Region(country="DE", subdivision="BE"),)),
        CalendarRule(id="customer", source="contacts.tz", fallback="provider", regions=(Region(country="FR"),)),
    ),
)  # fmt: skip


def known_days(country: str, subdivision: str | None) -> list[date]:
    if (country, subdivision) not in (("DE", "BE"), ("FR", None)):
        raise ValueError(country)
    return [date(2026, 12, 25), date(2026, 7, 14)] if country == "FR" else [date(2026, 12, 26), date(2026, 12, 25)]


def test_the_holidays_of_a_country_are_frozen_into_the_order_as_dates() -> None:
    """With the dates that are written, in order; for each contact who follows the customer's calendar, too."""
    order = order_of(WITH_COUNTRY, holidays=known_days)

    assert (date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)) == order.calendars["provider"].holidays
    assert (date(2026, 7, 14), date(2026, 12, 25)) == order.calendars["customer:customer:champion"].holidays
    assert order == read_order(write_order(order))


def test_a_country_that_nobody_knows_refuses_the_start() -> None:
    """Also where whoever starts runs has no holidays at all."""
    here = [("/calendars/provider/holidays", "unknown_country"), ("/calendars/customer/holidays", "unknown_country")]

    assert here == refusal(WITH_COUNTRY)


def test_a_due_date_that_never_comes_refuses_the_start() -> None:
    """20,000 hours of one minute a day take five thousand years."""
    brief = CalendarRule(id="customer", tz="UTC", hours=((0, 1),))
    item = replace(ITEM, due=Duration(20_000, Unit.BUSINESS_HOUR))

    assert [("", "due_too_far")] == refusal(
        replace(DEFINITION, items=(item,), calendars=(DEFINITION.calendars[0], brief))
    )


def test_without_any_zone_the_customer_has_the_fallback() -> None:
    """A start input that names no zone still has working hours."""
    order = order_of(contacts=[{**CONTACTS[0], "tz": None}])

    assert order.calendars["provider"] == order.calendars["customer"]
    assert {"customer:champion": "provider"} == order.calendar_of


def test_without_calendars_everybody_works_nine_to_five_in_utc() -> None:
    """A definition that declares no calendars runs all the same."""
    order = order_of(replace(DEFINITION, calendars=()))

    assert order.calendars["provider"] == order.calendars["customer"]
    assert ("UTC", (0, 1, 2, 3, 4), ((540, 1_020),)) == (
        order.calendars["provider"].zone.name,
        order.calendars["provider"].week,
        order.calendars["provider"].hours,
    )
    assert {} == order.calendar_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sales_owner": ...}, [("/sales_owner", "required")]),
        ({"sales_owner": "nobody"}, [("/sales_owner", "wrong_form")]),
        ({"sales_owner": "ü@x.example"}, [("/sales_owner", "not_a_handle")]),
        ({"sales_owner": "unverified@x.example"}, [("/sales_owner", "not_a_handle")]),
        ({"signed_at": "2026-11-20T10:00:00"}, [("/signed_at", "no_offset")]),
        ({"customer_id": "other"}, [("/customer_id", "other_customer")]),
        ({"sales_ownr": 1}, [("/sales_ownr", "unknown_field")]),
        ({"contacts": ...}, [("/contacts", "required")]),
        ({"contacts": [CONTACTS[1]]}, [("/contacts", "contact_missing")]),
        ({"contacts": [{**CONTACTS[0], "tz": "Europe/Pari"}]}, [("/contacts/0/tz", "unknown_zone")]),
        ({"contacts": [CONTACTS[0], {**CONTACTS[0], "email": "eve@x.example"}]}, [("/contacts/1", "same_handle")]),
        ({"sales_owner": "team-lead@other.example"}, [("/roles/lead", "same_handle")]),
        ({"contacts": [{**CONTACTS[0], "handle": "sam"}]}, [("/sales_owner", "same_handle")]),
        ({"contacts": [{**CONTACTS[0], "handle": "implementation"}]}, [("/groups/implementation", "same_handle")]),
    ],
)
def test_what_does_not_fit_refuses_the_start(given, expected) -> None:
    """Nothing is started, and each fault has its place in the input."""
    assert expected == refusal(**given)


@pytest.mark.parametrize("customer", ["", "C-1", "a b", "-a", "a/b", "ana@customer.example", "x" * 64, "ä", 7])
def test_a_customer_key_is_opaque(customer) -> None:
    """Keys stand in ids and search attributes, so names and addresses are refused."""
    assert ("/customer", "not_a_key") in refusal(customer=customer)


def test_all_faults_come_at_once() -> None:
    """One try tells everything about key, inputs, people and zones."""
    found = refusal(
        customer="C 1",
        sales_owner="x",
        sso="yes",
        contacts=[{**CONTACTS[1], "handle": "team-lead"}, {**CONTACTS[1], "handle": "z", "tz": "Mars/Olympus"}],
    )

    assert [
        ("/customer", "not_a_key"),
        ("/sales_owner", "wrong_form"),
        ("/sso", "wrong_type"),
        ("/roles/lead", "same_handle"),
        ("/contacts", "contact_missing"),
        ("/contacts/1/tz", "unknown_zone"),
    ] == found


def test_an_input_that_is_no_mapping_is_refused() -> None:
    """A start input of any other shape is a fault, not a crash."""
    with pytest.raises(StartRefused):
        build_order(OneDefinition(DEFINITION), customer="c", inputs=["x"], zones=zone, groups={}, started_by="dana")  # type: ignore[arg-type]


def test_a_fault_tells_no_value() -> None:
    """Faults are printed and logged; addresses are not."""
    with pytest.raises(StartRefused) as refused:
        build(sales_owner="hunter2", contacts=[{**CONTACTS[0], "tz": "hunter2"}], hunter=1, signed_at="hunter2")

    assert not any("hunter2" in fault.sentence for fault in refused.value.faults)


def test_one_person_may_hold_two_customer_roles_under_one_handle() -> None:
    """The same address with the same handle is the same person."""
    contacts = [{**CONTACTS[0], "handle": "ana"}, {**CONTACTS[0], "role": "sponsor", "handle": "ana"}]

    people = order_of(contacts=contacts).people

    assert (("ana",), ("ana",)) == (people["champion"], people["sponsor"])


def test_a_role_that_is_used_needs_somebody_and_so_does_its_deputy() -> None:
    """The sponsor may be missing until somebody deputises to them."""
    roles = (*ROLES[:3], replace(ROLES[3], deputy="sponsor"), ROLES[4])

    assert [("/contacts", "contact_missing")] == refusal(replace(DEFINITION, roles=roles))


def test_the_same_input_is_recognised_in_another_spelling() -> None:
    """The digest covers plan and checked values; another value or another plan is another start."""
    same = {"signed_at": "2026-11-20T09:00:00Z", "sso": False, "customer_id": "c-1042"}
    digest = order_of().input_digest

    assert digest == order_of(**same).input_digest
    assert digest != order_of(sso=True).input_digest
    assert digest != order_of(sales_owner="sam@other.example").input_digest
    assert digest != order_of(replace(DEFINITION, hash="def")).input_digest


def test_an_order_too_large_for_a_run_is_refused() -> None:
    """The limit is met before anything is started."""
    long = "x" * limits.ORDER_BYTES

    assert [("", "order_too_large")] == refusal(replace(DEFINITION, title=long))


def test_an_order_survives_writing_and_reading() -> None:
    """What a run reads is equal to what was built, as text, as bytes and as decoded JSON."""
    order = order_of()
    text = write_order(order)

    assert order == read_order(text)
    assert order == read_order(text.encode())
    assert order == read_order(json.loads(text))


def test_runs_of_one_definition_share_it() -> None:
    """Ten thousand open runs keep one plan in memory; another plan is another one, whatever hash it claims."""
    raw = json.loads(write_order(order_of()))
    another = json.loads(write_order(order_of()))
    another["definition"]["items"][0]["title"] = "Changed by hand"

    first, second, third = read_order(raw), read_order(json.dumps(raw)), read_order(another)

    assert first.definition is second.definition
    assert (first.definition.hash, third.definition.items[0].title) == (third.definition.hash, "Changed by hand")


def test_what_is_larger_than_any_definition_file_is_shared_with_nobody() -> None:
    """A start that will be refused must leave nothing large behind."""
    raw = json.loads(write_order(order_of()))
    raw["definition"]["items"][0]["title"] = "x" * limits.DEFINITION_BYTES

    first, second = read_order(raw), read_order(raw)

    assert first == second
    assert first.definition is not second.definition


def test_a_snapshot_of_a_newer_release_is_read() -> None:
    """A rollback in the middle of a run must not end it: what we do not know in our own snapshot is left out."""
    at = datetime(2026, 11, 21, tzinfo=UTC)
    order = replace(
        order_of(), snapshot=RunState(run="onboarding/c-1042/b2b-test", customer="c-1042", started_at=at, at=at)
    )
    raw = json.loads(write_order(order))
    raw["snapshot"]["invented_later"] = 1

    assert order == read_order(raw)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda raw: raw.pop("run"), "/run"),
        (lambda raw: raw.update(surprise=1), "/surprise"),
        (lambda raw: raw["definition"].update(surprise=1), "/definition/surprise"),
        (lambda raw: raw["definition"].update(version="1"), "/definition/version"),
        (lambda raw: raw["definition"]["items"][0].update(kind="wish"), "/definition/items/0/kind"),
        (lambda raw: raw["definition"]["items"][0].update(needs=["nowhere"]), "/definition/items/0/needs"),
        (lambda raw: raw["definition"]["items"][0].update(owner="nobody"), "/definition/items/0/owner"),
        (lambda raw: raw["definition"]["stages"][0].update(items=["nowhere"]), "/definition/stages/0/items"),
        (lambda raw: raw.update(run="onboarding/other/b2b-test"), "/run"),
        (lambda raw: raw.update(customer="A B"), "/customer"),
        (lambda raw: raw["calendars"].pop("provider"), "/calendars"),
        (lambda raw: raw["calendars"]["provider"]["zone"].update(transitions=[]), "/calendars"),
    ],
)
def test_a_changed_order_is_refused_with_its_place(change, place) -> None:
    """An order made by hand fails at once and with a place, never later inside the run."""
    raw = json.loads(write_order(order_of()))
    change(raw)

    with pytest.raises(StartRefused) as refused:
        read_order(raw)

    assert {"order_unreadable"} == {fault.code for fault in refused.value.faults}
    assert place in [fault.place for fault in refused.value.faults]


@pytest.mark.parametrize(
    "raw",
    ["", "{", "{}", "[]", "null", b"\xff\xfe", "\ud800", None, 7, float("nan"), {1: {2}}, object(), "[" * 100_000],
)
def test_anything_else_is_no_order(raw) -> None:
    """Whatever a run is started with: an error with a code, never a crash."""
    with pytest.raises(StartRefused) as refused:
        read_order(raw)

    assert {"order_unreadable"} == {fault.code for fault in refused.value.faults}
