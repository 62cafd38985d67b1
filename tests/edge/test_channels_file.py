"""The file of channels is read whole or refused whole, with the line, and what is secret is in neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from integrations.addresses import is_closed, network_fault
from integrations.channels.building import HOSTS, build
from integrations.channels.routing import Route, Routing
from integrations.egress import refusal
from integrations.signing import secret_fault
from onboarding.errors import DefinitionInvalid
from runtime.channels_file import Channels, Checks, read_channels, webhook_names
from runtime.settings import ROOT

EXAMPLE = ROOT / "docs/examples/channels.yaml"
SIGNS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {
    "SMTP_PASSWORD": "hunter2", "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/hunter2", "SLACK_BOT_TOKEN": "xoxb-hunter2",
    "GATEWAY_SECRET": SIGNS, "GATEWAY_AUTHORIZATION": "Bearer hunter2", "CRM_SECRET": SIGNS, "PLAIN": "hunter2",
    "ELSEWHERE": "https://evil.example/hunter2", "IN_CLEAR": "http://hooks.slack.com/hunter2",
    "SHOWN": "Bearer hunter2…",
}  # fmt: skip
TEAMS = "https://prod-1.westeurope.logic.azure.com/workflows/hunter2"


def read(text: str, tmp_path: Path, environ: Mapping[str, str] = ENVIRON, *, installed: bool = True) -> Channels:
    """The file with this text."""
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    (tmp_path / "secrets").mkdir(exist_ok=True)
    (tmp_path / "secrets/teams-webhook").write_text(TEAMS)
    (tmp_path / "secrets/teams-webhook").chmod(0o600)
    checks = Checks(
        url=refusal, signing=secret_fault, network=network_fault, closed=is_closed, notify=lambda url: None, notify_installed=installed, hosts=HOSTS
    )  # fmt: skip
    return read_channels(path, checks, environ)


def test_the_shipped_example_loads_and_makes_every_channel(tmp_path: Path) -> None:
    """Whoever copies it has a file that works once the secrets are there."""
    found = read(EXAMPLE.read_text(), tmp_path)
    made = {
        name: build(name, way.kind, way.values, per_minute=way.per_minute, inside=found.inside)
        for name, way in found.channels.items()
    }
    routing = Routing(made, [Route(**values) for values in found.routes])

    assert {name: channel.sort for name, channel in made.items()} == {
        "mail": "mail",
        "team-room": "",
        "direct": "slack",
        "teams": "",
        "text-message": "phone",
    }
    assert list(found.webhooks) == ["crm"] == list(webhook_names(EXAMPLE))
    assert (found.webhooks["crm"].values["secret"], found.webhooks["crm"].per_minute) == (SecretStr(SIGNS), 600)
    assert (len(found.routes), found.warnings, [str(one) for one in found.inside]) == (4, (), ["10.20.0.0/16"])
    assert list(found.answer) == ["customer"]
    assert routing is not None
    assert "hunter2" not in repr(found)


def test_how_to_answer_may_be_told_to_each_side(tmp_path: Path) -> None:
    """One text is for all."""
    assert read("answer: {customer: Reply., provider: Look there.}", tmp_path).answer == {
        "customer": "Reply.",
        "provider": "Look there.",
    }
    assert read("answer: Reply.", tmp_path).answer["customer"] == "Reply."
    with pytest.raises(DefinitionInvalid, match=r"customer, provider, third_party.*wrong_value"):
        read("answer: {de: Antworten.}", tmp_path)


MAIL = "kind: mail, host: a.example, from: a@b.example"
HOOK = "kind: webhook, url: 'https://a.example/x', allow: [a.example]"
WRONG = [
    ("channels: {mail: {kind: mail, host: a.example, form: a@b.example}}", "1:48", "unknown_key", "did you mean 'from'"),
    ("channels: {mail: {kind: mail, host: a.example, form: a@b.example}}", "1:12", "missing_key", "'from'"),
    ("channels: {mail: {kind: fax}}", "1:12", "wrong_value", "mail"),
    ("channels: {mail: {" + MAIL + ", security: none}}", "1:77", "not_encrypted", "plain: true"),
    ("channels: {mail: {" + MAIL + ", user: x}}", "1:12", "missing_key", "'password'"),
    ("channels: {mail: {" + MAIL + ", password: hunter2, user: x}}", "1:77", "secret_written_down", "{env: NAME}"),
    ("channels: {mail: {" + MAIL + ", user: x, password: {env: GONE}}}", "1:86", "secret_missing", "GONE"),
    ("channels: {mail: {" + MAIL + ", user: x, password: {file: gone}}}", "1:86", "secret_missing", "gone"),
    ("channels: {mail: {kind: mail, host: a.example, from: nobody}}", "1:54", "bad_address", "name@firm.example"),
    ("channels: {mail: {" + MAIL + ", seconds: 60}}", "1:76", "wrong_value", "at most 10"),
    ("channels: {mail: {" + MAIL + ", per_minute: 0}}", "1:79", "wrong_value", "at least 1"),
    ("channels: {mail: {" + MAIL + ", port: '25'}}", "1:73", "wrong_type", "without quotes"),
    ("channels: {mail: }", "1:12", "empty_value", "no value"),
    ("channels: {Mail Server: {" + MAIL + "}}", "1:12", "bad_id", "small letters"),
    ("channels: {c: {kind: slack}}", "1:12", "missing_key", "exactly one"),
    ("channels: {c: {kind: slack, url: {env: SLACK_WEBHOOK}, token: {env: PLAIN}}}", "1:12", "missing_key", "exactly one"),
    ("channels: {c: {kind: slack, url: {env: SLACK_WEBHOOK}, room: C1}}", "1:56", "unknown_key", "bot"),
    ("channels: {c: {kind: slack, token: {env: PLAIN}, allow: [proxy.example]}}", "1:50", "unknown_key", "slack.com"),
    ("channels: {c: {kind: slack, token: {env: PLAIN}, plain: true}}", "1:50", "unknown_key", "slack.com"),
    ("channels: {c: {kind: slack, token: {env: SHOWN}}}", "1:36", "secret_unusable", "shortened"),
    ("channels: {c: {" + HOOK + ", headers: {X-Key: {env: SHOWN}}}}", "1:96", "secret_unusable", "shortened"),
    ("channels: {c: {kind: webhook, url: 'https://10.1.2.3/x', allow: ['10.1.2.3']}}", "1:36", "forbidden_address", "inside"),
    ("inside: [10.20.0.0/16]\nwebhooks: {c: {url: 'https://[::1]/x', allow: ['[::1]'], secret: {env: CRM_SECRET}}}", "2:21", "forbidden_address", "inside"),
    ("channels: {mail: {kind: mail, host: 127.0.0.1, from: a@b.example}}", "1:37", "forbidden_address", "inside"),
    ("channels: {mail: {kind: mail, host: 'a.example:587', from: a@b.example}}", "1:37", "bad_host", "`port`"),
    ("channels: {mail: {kind: mail, host: 'smtp a', from: a@b.example}}", "1:37", "bad_host", "smtp.example.com"),
    ("answer: 'Name {itms}.'", "1:9", "unknown_variable", "did you mean 'items'"),
    ("answer: {customer: 'Name {items}.', provider: 'See {url}.'}", "1:47", "unknown_variable", "run, items, item, handle"),
    ("channels: {c: {kind: slack, url: {env: ELSEWHERE}}}", "1:34", "host_not_allowed", "allow"),
    ("channels: {c: {kind: slack, url: {env: IN_CLEAR}}}", "1:34", "scheme_not_allowed", "plain: true"),
    ("channels: {c: {kind: slack, url: {env: PLAIN}}}", "1:34", "scheme_not_allowed", "https"),
    ("channels: {c: {kind: slack, url: {env: ONBOARDING_X}}}", "1:34", "secret_name", "another name"),
    ("channels: {c: {kind: webhook, url: 'https://a.example/x'}}", "1:12", "missing_key", "'allow'"),
    ("channels: {c: {kind: webhook, url: 'https://a.example/x', allow: []}}", "1:66", "empty_value", "at least one"),
    ("channels: {c: {kind: webhook, url: 'https://b.example/x', allow: [a.example]}}", "1:36", "host_not_allowed", "allow"),
    ("channels: {c: {kind: webhook, url: 'http://a.example/x', allow: [a.example]}}", "1:36", "scheme_not_allowed", "plain"),
    ("channels: {c: {kind: webhook, url: 'https://u:hunter2@a.example/x', allow: [a.example]}}", "1:36", "bad_url", "password"),
    ("channels: {c: {kind: webhook, url: 'https://a.example/x?token=hunter2', allow: [a.example]}}", "1:36", "secret_written_down", "url: {env"),
    ("channels: {c: {kind: webhook, url: 'https://a.example/x', allow: ['https://a.example']}}", "1:67", "bad_host", "hooks.example.com"),
    ("channels: {c: {" + HOOK + ", headers: {Host: {env: PLAIN}}}}", "1:89", "bad_header", "set already"),
    ("channels: {c: {" + HOOK + ", headers: {X-Key: hunter2}}}", "1:96", "secret_written_down", "{env: NAME}"),
    ("channels: {c: {" + HOOK + ", secret: {env: PLAIN}}}", "1:87", "secret_unusable", "whsec_"),
    ("channels: {c: {" + HOOK + ", address: fone}}", "1:88", "wrong_value", "phone"),
    ("webhooks: {crm: {url: 'https://a.example/x', allow: [a.example]}}", "1:12", "missing_key", "'secret'"),
    ("webhooks: {crm: {kind: webhook, url: 'https://a.example/x', allow: [a.example], secret: {env: CRM_SECRET}}}", "1:18", "unknown_key", "known here"),
    ("routes: [{to: [mial]}]\nchannels: {mail: {" + MAIL + "}}", "1:16", "unknown_channel", "did you mean 'mail'"),
    ("routes: [{to: mial}]\nchannels: {mail: {" + MAIL + "}}", "1:15", "unknown_channel", "did you mean 'mail'"),
    ("routes: [{to: [mail]}]", "1:16", "unknown_channel", "name it under"),
    ("routes: [{kind: shout, to: []}]", "1:17", "unknown_kind", "escalation"),
    ("routes: [{when: x, to: [a]}]", "1:11", "unknown_key", "known here"),
    ("routes: [{handle: 'no handle!', to: [a]}]", "1:19", "not_a_handle", "customer:champion"),
    ("routes: [{handle: dana@firm.example, to: [a]}]", "1:19", "not_a_handle", "customer:champion"),
    ("routes: [{side: both, to: [a]}]", "1:17", "wrong_value", "customer"),
    ("inside: [10.0.0.1/8]", "1:10", "bad_network", "10.1.0.0/16"),
    ("inside: [0.0.0.0/0]", "1:10", "bad_network", "private"),
    ("inside: ['::/0']", "1:10", "bad_network", "private"),
    ("inside: [8.8.8.0/24]", "1:10", "bad_network", "private"),
    ("people: {}", "1:1", "unknown_key", "known here"),
    ("- a", "1:1", "wrong_type", "mapping"),
    ("", "1:1", "empty_file", "channels:"),
    ("a: [", "1:5", "syntax", "brackets"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "code", "says"), WRONG)
def test_what_is_wrong_is_told_with_its_line_code_and_way_out(
    text: str, place: str, code: str, says: str, tmp_path: Path
) -> None:
    """And never with what may be a secret."""
    with pytest.raises(DefinitionInvalid) as refused:
        read(text, tmp_path)
    told = [(f"{one.line}:{one.column}", one.rule, one.message) for one in refused.value.faults]

    assert (place, code) in [one[:2] for one in told], told
    assert any(says in sentence for at, rule, sentence in told if (at, rule) == (place, code)), told
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "channels.yaml"))


def test_a_missing_extra_is_a_fault_of_the_file_and_not_of_the_first_letter(tmp_path: Path) -> None:
    """Loudly, with what to install."""
    text = "channels: {sms: {kind: notify, url: {env: PLAIN}}}"
    assert read(text, tmp_path).channels["sms"].kind == "notify"
    with pytest.raises(DefinitionInvalid, match=r"extra `notify`.*not_installed"):
        read(text, tmp_path, installed=False)


def test_what_works_and_is_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    """A route behind one that fits everything, no last route, a secret that others may read."""
    channels = "channels: {mail: {" + MAIL + "}}\n"
    assert [
        one.rule for one in read(channels + "routes: [{to: [mail]}, {urgent: true, to: [mail]}]", tmp_path).warnings
    ] == ["route_unreached"]
    assert [one.rule for one in read(channels + "routes: [{urgent: true, to: [mail]}]", tmp_path).warnings] == [
        "no_last_route"
    ]
    (tmp_path / "open").write_text("hunter2")
    (tmp_path / "open").chmod(0o644)
    told = read("channels: {mail: {" + MAIL + ", user: x, password: {file: open}}}", tmp_path).warnings
    assert [(one.rule, one.line) for one in told] == [("secret_open", 1)]


def test_the_names_of_webhooks_need_no_secret(tmp_path: Path) -> None:
    """A definition is checked on desks where no secret is."""
    path = tmp_path / "channels.yaml"
    path.write_text("webhooks: {crm: {url: 'https://a.example', allow: [a.example], secret: {env: GONE}}}")
    assert webhook_names(path) == ("crm",)
    path.write_text("webhooks: {crm: 5}")
    with pytest.raises(DefinitionInvalid, match="wrong_type"):
        webhook_names(path)


def test_a_route_for_a_person_fits_in_every_spelling_of_their_handle(tmp_path: Path) -> None:
    """Notices carry the one of runs."""
    text = f"channels: {{mail: {{{MAIL}}}}}\nroutes: [{{handle: ' Dana', to: mail}}, {{handle: 'Customer:Lead', to: mail}}, {{to: mail}}]\n"

    assert [one["handle"] for one in read(text, tmp_path).routes] == ["dana", "customer:lead", ""]


def test_a_sender_may_be_called_after_ones_own_network(tmp_path: Path) -> None:
    """As addresses of the directory may."""
    text = "channels: {mail: {kind: mail, host: mail.corp.local, from: Onboarding <team@corp.local>}}"
    values = read(text, tmp_path).channels["mail"].values

    assert (values["name"], values["address"]) == ("Onboarding", "team@corp.local")
