"""Hooks that are requests: what leaves, what each answer means, and that none of the other side's words comes out of it."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import ipaddress
import json
import socket
import time
from dataclasses import replace
from typing import Any

import pytest
import standardwebhooks
from pytest_httpserver import HTTPServer
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from werkzeug import Request, Response

from activities.hooks import HookActivities
from integrations.egress import Egress
from integrations.hooks import HookRegistry
from integrations.http_hooks import HttpHook
from onboarding.errors import HookPutOff, HookRefused
from onboarding.hook_terms import AnswerTerms, CallTerms, LaterTerms
from onboarding.ports import Later
from tests.support.injections import STRINGS
from tests.support.records import RUN, a_hook

HERE = Egress((ipaddress.ip_network("127.0.0.0/8"),))
CANARY = "canary-words-of-the-other-side"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # pragma: allowlist secret
ARGUMENTS = {
    "run": RUN,
    "customer": "acme",
    "item": "provision",
    "facts": {"company": 'A "quoted" & <b>bold</b> name'},
    "fields": {},
    "files": [],
    "key": f"{RUN}/provision/1/hook",
}


def terms(server: HTTPServer, path: str = "/tenants", **changes: Any) -> CallTerms:
    """A call of the test's own server."""
    return replace(CallTerms(url=server.url_for(path), allow=(server.host,), plain=True, seconds=2.0), **changes)


def call(found: CallTerms, **changes: Any) -> Any:
    """What one call answers."""
    return HttpHook(found, HERE)({**ARGUMENTS, **changes})


def test_without_a_body_the_arguments_leave_and_with_them_the_key_and_the_headers(httpserver: HTTPServer) -> None:
    """The other side can tell a repetition by its Idempotency-Key."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(json.dumps({"ok": True, "provides": {"tenant_id": "t-1"}, "note": "made"}))

    httpserver.expect_request("/tenants", method="POST").respond_with_handler(answer)
    found = terms(httpserver, headers={"Authorization": "Bearer s3"})

    told = [HookRegistry({"h": HttpHook(found, HERE)}).run("h", ARGUMENTS, ARGUMENTS["key"]) for _ in range(2)]

    assert told == [{"ok": True, "provides": {"tenant_id": "t-1"}, "faults": [], "note": "made"}] * 2
    assert ARGUMENTS == json.loads(seen[0].data)
    assert {ARGUMENTS["key"]} == {one.headers["Idempotency-Key"] for one in seen}
    assert "Bearer s3" == seen[0].headers["Authorization"]


def test_what_leaves_is_signed_as_standard_webhooks_are(httpserver: HTTPServer) -> None:
    """Whoever has the same secret can verify it with the library of that standard."""
    seen: list[Request] = []
    httpserver.expect_request("/tenants").respond_with_handler(
        lambda request: seen.append(request) or Response('{"ok": true}')
    )

    call(terms(httpserver, secret=SECRET))

    verified = standardwebhooks.Webhook(SECRET).verify(seen[0].data, dict(seen[0].headers))
    assert ARGUMENTS == verified
    assert seen[0].headers["webhook-id"] == seen[0].headers["Idempotency-Key"]


def test_a_body_is_the_template_with_values_in_it(httpserver: HTTPServer) -> None:
    """Each value writes itself as JSON; saying `tojson` as well changes nothing."""
    seen: list[Any] = []
    httpserver.expect_request("/tenants").respond_with_handler(
        lambda request: seen.append(request.json) or Response('{"ok": true}')
    )
    body = '{"who": {{ facts.company }}, "again": {{ facts.company | tojson }}, "id": {{ "x-" ~ customer }}, "all": {{ facts }}}'

    call(terms(httpserver, body=body))

    name = ARGUMENTS["facts"]["company"]  # type: ignore[index]
    assert [{"who": name, "again": name, "id": "x-acme", "all": {"company": name}}] == seen


def test_no_value_becomes_more_than_a_value_in_a_body(httpserver: HTTPServer) -> None:
    """Quotes, braces and template marks of a customer stay what they are: text."""
    seen: list[Any] = []
    httpserver.expect_request("/tenants").respond_with_handler(
        lambda request: seen.append(request.json) or Response('{"ok": true}')
    )
    hook = HttpHook(terms(httpserver, body='{"name": {{ facts.company }}, "admin": false}'), HERE)
    strings = [*STRINGS, '", "admin": true, "x": "', "{{ 7 * 7 }}", "{% raw %}", "\r\nX-Injected: 1", "\ud800"]

    for text in strings:
        hook({**ARGUMENTS, "facts": {"company": text}, "key": text})

    told = [one["name"] for one in seen]
    assert [one.encode("utf-8", "replace").decode() for one in strings] == [
        one.encode("utf-8", "replace").decode() for one in told
    ]
    assert all(one == {"name": one["name"], "admin": False} for one in seen)
    print(f"S7: {len(strings)} strings in the bodies and keys of http hooks, {len(strings)} inert")


@pytest.mark.parametrize(
    "body", ['{"x": {{ facts.missing }}}', '{"x": ', "{{ facts.company.__class__.__mro__ }}", "[{{ 1 / 0 }}]"]
)
def test_a_body_that_is_no_json_for_these_facts_is_refused_and_nothing_leaves(
    httpserver: HTTPServer, body: str
) -> None:
    """A person looks at it: no repetition helps."""
    with pytest.raises(HookRefused) as no:
        call(terms(httpserver, body=body))

    assert "body_no_json" == no.value.code
    assert [] == httpserver.log


def test_the_answer_is_read_where_the_installation_points(httpserver: HTTPServer) -> None:
    """Facts come from pointers, and what is not there is no fact."""
    said = {"data": {"tenant": {"id": "t-9"}, "list": [{"a/b": 3}], "state": True, "said": "made"}}
    httpserver.expect_request("/tenants").respond_with_json(said)
    answer = AnswerTerms(
        ok="/data/state", note="/data/said", faults="",
        provides={"tenant_id": "/data/tenant/id", "n": "/data/list/0/a~1b", "none": "/data/list/7"},
    )  # fmt: skip

    told = call(terms(httpserver, answer=answer))

    assert {"ok": True, "provides": {"tenant_id": "t-9", "n": 3}, "note": "made"} == told


def test_where_the_status_decides_an_empty_answer_is_a_yes(httpserver: HTTPServer) -> None:
    """204 has no body; where the status does not decide, silence is no yes."""
    httpserver.expect_request("/tenants").respond_with_data(b"", status=204)

    assert {"ok": True, "provides": {}} == call(terms(httpserver, answer=AnswerTerms(ok="status", provides={})))
    with pytest.raises(HookRefused) as no:
        call(terms(httpserver))
    assert "answer_no_json" == no.value.code


def test_an_answer_that_does_not_say_ok_is_no_yes(httpserver: HTTPServer) -> None:
    """The registry looks at every answer."""
    httpserver.expect_request("/tenants").respond_with_json({"provides": {"tenant_id": "t"}})

    with pytest.raises(HookRefused) as no:
        HookRegistry({"h": HttpHook(terms(httpserver), HERE)}).run("h", ARGUMENTS, "k")
    assert "hook_answer_invalid" == no.value.code


FINAL = (301, 302, 307, 400, 401, 403, 404, 409, 410, 422)
AGAIN = (408, 425, 429, 500, 502, 503, 504)


@pytest.mark.parametrize("status", [*FINAL, *AGAIN])
def test_each_status_is_final_or_tried_again(httpserver: HTTPServer, status: int) -> None:
    """The failure that the run sees has the code, a sentence of ours, and none of the words of the other side."""
    httpserver.expect_request("/tenants").respond_with_data(
        CANARY, status=status, headers={"Location": f"https://{CANARY}/"}
    )
    runner = HookActivities(HookRegistry({"provision_tenant": HttpHook(terms(httpserver), HERE)}))

    with pytest.raises(ApplicationError) as failed:
        ActivityEnvironment().run(runner.run_hook, a_hook())

    assert failed.value.type == ("redirected" if 300 <= status < 400 else f"http_{status}")
    assert failed.value.non_retryable is (status in FINAL)
    assert CANARY not in f"{failed.value} {failed.value.details}"
    assert failed.value.details[0]["sentence"]


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("999999", 3_600.0), ("soon", None), ("", None)])
def test_the_pause_that_is_asked_for_is_kept(httpserver: HTTPServer, said: str, seconds: float | None) -> None:
    """At most an hour; nobody over there decides that a customer waits until tomorrow."""
    httpserver.expect_request("/tenants").respond_with_data("", status=429, headers={"Retry-After": said})
    runner = HookActivities(HookRegistry({"provision_tenant": HttpHook(terms(httpserver), HERE)}))

    with pytest.raises(ApplicationError) as failed:
        ActivityEnvironment().run(runner.run_hook, a_hook())

    delay = failed.value.next_retry_delay
    assert seconds == (None if delay is None else delay.total_seconds())


@pytest.mark.parametrize("body", ["no json", "", "[1, 2", '{"ok": NaN}', "\x00\xff", "[" * 100_000, CANARY * 100])
def test_nonsense_is_final_and_told_by_a_code(httpserver: HTTPServer, body: str) -> None:
    """Also where it is nested as deep as a megabyte allows."""
    httpserver.expect_request("/tenants").respond_with_data(body.encode("latin-1"))

    with pytest.raises(HookRefused) as no:
        call(terms(httpserver))

    assert "answer_no_json" == no.value.code
    assert CANARY not in str(no.value)


def test_an_answer_of_a_gibibyte_is_left_in_the_middle(httpserver: HTTPServer) -> None:
    """Announced or not: after one MiB nobody reads on."""
    sent: list[int] = []

    def endless() -> Any:
        for _ in range(1024):
            sent.append(1)
            yield b"x" * 1_048_576

    httpserver.expect_request("/tenants").respond_with_handler(lambda _: Response(endless()))

    with pytest.raises(HookRefused) as no:
        call(terms(httpserver, seconds=10.0))

    assert "answer_too_large" == no.value.code
    assert len(sent) < 64


def test_an_answer_that_does_not_come_is_tried_again(httpserver: HTTPServer) -> None:
    """After the seconds of this hook, and not after those of the worker."""
    httpserver.expect_request("/tenants").respond_with_handler(lambda _: time.sleep(3) or Response("{}"))
    began = time.monotonic()

    with pytest.raises(HookPutOff) as later:
        call(terms(httpserver, seconds=1.0))

    assert "timeout" == later.value.code
    assert time.monotonic() - began < 2.5


def test_nobody_there_is_tried_again() -> None:
    """The other side may come back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = CallTerms(url=f"http://127.0.0.1:{port}/", allow=("127.0.0.1",), plain=True, seconds=2.0)

    with pytest.raises(HookPutOff) as later:
        call(found)

    assert "unreachable" == later.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "http://169.254.169.254/latest/meta-data", "allow": ("169.254.169.254",)}, "forbidden_address"),
        ({"allow": ("api.example.com",)}, "host_not_allowed"),
        ({"plain": False}, "scheme_not_allowed"),
    ],
)
def test_an_address_inside_is_refused_and_nobody_is_asked(
    httpserver: HTTPServer, change: dict[str, Any], code: str
) -> None:
    """Final: the file of the installation must be mended."""
    with pytest.raises(HookRefused) as no:
        call(terms(httpserver, **change))

    assert code == no.value.code
    assert [] == httpserver.log


def test_202_says_that_the_answer_comes_later(httpserver: HTTPServer) -> None:
    """Where the installation says how; the address to ask again may be relative."""
    httpserver.expect_ordered_request("/tenants").respond_with_json(
        {"status_url": "/jobs/7", "percent": 12}, status=202
    )
    httpserver.expect_ordered_request("/jobs/7").respond_with_json({"percent": 60}, status=202)
    httpserver.expect_ordered_request("/jobs/7").respond_with_json({"ok": True, "provides": {"rows": 3}})
    later = LaterTerms(within=600, poll="/status_url", every=5, progress="/percent")
    hook = HttpHook(terms(httpserver, later=later), HERE)

    first = hook(ARGUMENTS)

    assert Later(progress="12", poll=httpserver.url_for("/jobs/7"), every=5, within=600) == first
    assert isinstance(first, Later)
    second = hook.poll(first.poll, "k")
    assert isinstance(second, Later)
    assert "60" == second.progress
    assert {"ok": True, "provides": {"rows": 3}} == hook.poll(first.poll, "k")


def test_202_is_no_yes_where_nobody_has_said_what_comes_later(httpserver: HTTPServer) -> None:
    """Even where the status decides."""
    httpserver.expect_request("/tenants").respond_with_data("", status=202)

    with pytest.raises(HookRefused) as no:
        call(terms(httpserver, answer=AnswerTerms(ok="status")))
    assert "http_202" == no.value.code


def test_an_address_that_the_other_side_names_is_looked_at_like_every_other(httpserver: HTTPServer) -> None:
    """It may not lead us to a host that the installation has not allowed."""
    later = LaterTerms(poll="/status_url")
    hook = HttpHook(terms(httpserver, later=later), HERE)

    for address, code in (
        ("https://other.example/x", "host_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
    ):
        with pytest.raises(HookRefused) as no:
            hook.poll(address, "k")
        assert code == no.value.code


@pytest.mark.parametrize("address", ["/\x00", "/\ud800", "http://[::1", "/" + "a" * 3_000])
def test_an_address_to_ask_again_that_is_none_is_final(httpserver: HTTPServer, address: str) -> None:
    """Told at once: tried again, the other side would begin the work once more, and no database keeps such a text."""
    httpserver.expect_request("/tenants").respond_with_json({"status_url": address}, status=202)

    with pytest.raises(HookRefused) as no:
        call(terms(httpserver, later=LaterTerms(poll="/status_url")))
    assert "bad_url" == no.value.code


def test_a_key_of_any_characters_is_a_header_of_plain_ones(httpserver: HTTPServer) -> None:
    """A customer's key may be in any alphabet."""
    seen: list[str] = []
    httpserver.expect_request("/tenants").respond_with_handler(
        lambda request: seen.append(request.headers["Idempotency-Key"]) or Response('{"ok": true}')
    )

    call(terms(httpserver), key="onboarding/köln 1/quick-start/x/1/hook")

    assert ["onboarding/k%C3%B6ln%201/quick-start/x/1/hook"] == seen


def test_secrets_are_in_no_picture_of_what_is_called() -> None:
    """A log or an error that shows the terms shows no secret."""
    found = CallTerms(
        url="https://a.example/", allow=("a.example",), headers={"Authorization": "Bearer canary"}, secret=SECRET
    )

    assert "canary" not in repr(found)
    assert SECRET not in repr(found)
