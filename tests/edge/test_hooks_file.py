"""The file of hooks: what it may say, and that each fault has its line, its code and a way out."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from console.hooks_here import hooks_here
from onboarding.errors import DefinitionInvalid
from onboarding.hook_terms import AT_ONCE
from runtime.hooks_grammar import HookEntry
from runtime.outside import like_secret, secret_in_query
from runtime.settings import ROOT

GOOD = """\
inside: [10.1.0.0/16]
hooks:
  provision_tenant:
    url: https://api.example.com/v1/tenants?region=eu
    allow: [api.example.com]
    headers: {Authorization: {env: T_TOKEN}, X-Team: onboarding}
    secret: {file: signing}
    body: '{"name": {{ facts.company }}}'
    answer: {ok: status, provides: {tenant_id: /id}, note: /said}
    seconds: 20
    at_once: 3
    per_minute: 60
    later: {within: 2h, poll: /status_url, every: 10s, progress: /percent}
  import_export: {at_once: 2}
"""


def read(tmp_path: Path, text: str) -> list[str]:
    """Each fault as `line:column code`, with its sentence."""
    path = tmp_path / "hooks.yaml"
    path.write_text(text)
    with pytest.raises(DefinitionInvalid) as no:
        hooks_here(path)
    assert str(path) == no.value.file
    return [f"{one.line}:{one.column} {one.rule} {one.message}" for one in no.value.faults]


def test_a_good_file_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hooks stand beside those that are installed, and the limits hold for these, too."""
    monkeypatch.setenv("T_TOKEN", "Bearer one")
    (tmp_path / "signing").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")  # pragma: allowlist secret
    path = tmp_path / "hooks.yaml"
    path.write_text(GOOD)

    hooks = hooks_here(path)

    call = hooks.terms("provision_tenant").call
    assert call is not None
    assert {"Authorization": "Bearer one", "X-Team": "onboarding"} == call.headers
    assert ("status", {"tenant_id": "/id"}, "/said") == (call.answer.ok, call.answer.provides, call.answer.note)
    assert call.later is not None
    assert (7_200, 10) == (call.later.within, call.later.every)
    assert (3, 60) == (hooks.terms("provision_tenant").at_once, hooks.terms("provision_tenant").per_minute)
    assert (2, AT_ONCE) == (hooks.terms("import_export").at_once, hooks.terms("scan_file").at_once)
    assert "import_export" in hooks.names


HEAD = "hooks:\n  make:\n    url: https://a.example/x\n    allow: [a.example]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1 empty_file"),
        ("hooks: 7\n", "1:8 wrong_type"),
        ("hook: {}\n", "1:1 "),
        ("hooks:\n  make: {url: 'https://a.example/'}\n", "2:15 host_not_allowed"),
        ("hooks:\n  make: {url: 'https://a.example/', allow: [b.example]}\n", "2:15 host_not_allowed"),
        ("hooks:\n  make: {url: 'http://a.example/', allow: [a.example]}\n", "2:15 scheme_not_allowed"),
        ("hooks:\n  make: {url: 'ftp://a.example/', allow: [a.example], plain: true}\n", "2:15 scheme_not_allowed"),
        ("hooks:\n  make: {url: 'https://u:p@a.example/', allow: [a.example]}\n", "2:15 bad_url"),
        ("hooks:\n  make: {url: 'https://a.example/?api_key=1', allow: [a.example]}\n", "2:15 secret_in_url"),
        ("hooks:\n  make: {url: 'https://a.example/#top', allow: [a.example]}\n", "2:15 secret_in_url"),
        ("hooks:\n  make: {url: 'not an address', allow: [a.example]}\n", "2:15 bad_url"),
        ("hooks:\n  make: {at_once: 2}\n", "2:3 unknown_activity"),
        ("hooks:\n  scan_fil: {at_once: 2}\n", "2:3 unknown_activity"),
        ("hooks:\n  scan_file: {seconds: 2}\n", "2:3 missing_key"),
        ("hooks:\n  make: {url: 'https://127.0.0.1/', allow: ['127.0.0.1']}\n", "2:15 forbidden_address"),
        ("hooks:\n  make: {url: 'https://[fd00::1]/', allow: ['[fd00::1]']}\n", "2:15 forbidden_address"),
        (
            "inside: [10.0.0.0/8]\nhooks: {make: {url: 'https://192.168.1.1/', allow: [192.168.1.1]}}\n",
            "2:21 forbidden_",
        ),
        ("hooks:\n  make: {use: scan_files, allow: ['a.example', '10.1.2.3:8443']}\n", "2:48 forbidden_address"),
        ("hooks:\n  make: {use: scan_files, allow: ['[::1]:8443']}\n", "2:35 forbidden_address"),
        ("inside: [there]\nhooks: {}\n", "1:10 bad_network"),
        ("inside: [0.0.0.0/0]\nhooks: {}\n", "1:10 bad_network"),
        ("inside: [10.1.0.0/16, '::/0']\nhooks: {}\n", "1:23 bad_network"),
        ("inside: [8.8.8.0/24]\nhooks: {}\n", "1:10 bad_network"),
        (HEAD + "    allowed: [a.example]\n", "5:5 unknown_key"),
        (HEAD + "    method: STEAL\n", "5:13 wrong_value"),
        (HEAD + "    seconds: 61\n", "5:14 wrong_value"),
        (HEAD + "    at_once: many\n", "5:14 wrong_type"),
        (HEAD + "    headers: {Authorization: canary-token}\n", "5:30 secret_in_file"),
        (HEAD + "    headers: {Authorization: {env: NOT_THERE}}\n", "5:30 secret_missing"),
        (HEAD + "    headers: {Authorization: {file: not-there}}\n", "5:30 secret_missing"),
        (HEAD + "    headers: {Idempotency-Key: mine}\n", "5:15 wrong_value"),
        (HEAD + "    headers: {'a b': mine}\n", "5:15 wrong_value"),
        (HEAD + '    headers: {X-Team: "a\\tb"}\n', "5:23 control_character"),
        (HEAD + "    headers: {X-Team: caf\u00e9}\n", "5:23 wrong_value"),
        (HEAD + "    secret: canary-token\n", "5:13 secret_written_down"),
        (HEAD + "    secret: {env: A, file: b}\n", "5:13 secret_source"),
        (HEAD + "    body: '{\"x\": {{ fact.name }}}'\n", "5:11 unknown_variable"),
        (HEAD + "    body: '{{ facts.'\n", "5:11 bad_template"),
        (HEAD + "    body: '{{ facts | shout }}'\n", "5:11 bad_template"),
        (HEAD + "    method: GET\n    body: '{}'\n", "6:5 wrong_value"),
        (HEAD + "    answer: {ok: ready}\n", "5:18 bad_pointer"),
        (HEAD + "    answer: {note: ready}\n", "5:20 bad_pointer"),
        (HEAD + "    later: {within: 2bd}\n", "5:21 wrong_value"),
        (HEAD + "    later: {within: 2h, every: 10s}\n", "5:5 missing_key"),
        (HEAD + "    later: {every: 10s}\n", "5:5 missing_key"),
    ],
)
def test_each_fault_has_its_place_and_a_way_out(tmp_path: Path, text: str, told: str) -> None:
    """And none repeats what may be a secret."""
    found = read(tmp_path, text)

    assert told == found[0][: len(told)], found
    assert all("canary" not in one for one in found)
    assert all(len(one.split(" ", 2)[2]) > 20 for one in found)


@pytest.mark.parametrize(
    "weak",
    ["password", "whsec_YQ==", "whsec_no-base64!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],  # pragma: allowlist secret
)
def test_a_key_that_somebody_could_guess_signs_nothing(tmp_path: Path, weak: str) -> None:
    (tmp_path / "signing").write_text(weak)
    (found,) = read(tmp_path, HEAD + "    secret: {file: signing}\n")

    assert found.startswith("5:13 secret_unusable ")
    assert weak not in found


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Auth", "X-Sig", "X-Credential", "X-Api-Key", "X-Pass", "x-session-token"]
)
def test_what_is_called_as_secrets_are_is_not_written_down(tmp_path: Path, name: str) -> None:
    (found,) = read(tmp_path, HEAD + f"    headers: {{{name}: canary}}\n")

    assert found.split(" ")[1] == "secret_in_file"
    assert "canary" not in found


SECRETS = (
    "Authorization", "Proxy-Authorization", "X-Auth", "X-Auth-Token", "oauth_token", "OAuth", "basicauth", "Cookie", "Set-Cookie2", "X-Sig", "sig", "X-Hub-Signature-256",
    "X-Amz-Credential", "credentials", "X-Api-Key", "x_api_key", "APIKey", "apiKey", "APIKEY", "hapikey", "key", "key2", "Ocp-Apim-Subscription-Key", "accesskey",
    "secretKey", "X-Pass", "pass", "userPass", "passwd", "password", "db.pwd", "passphrase", "accessToken", "access_token", "authtoken", "csrfToken", "x-session-token",
    "filter[token]", "client_secret", "clientSecret", "TOKEN", "token1",
)  # fmt: skip
ORDINARY = (
    "X-Design", "X-Author", "X-Compass", "X-Assignee", "X-Signal", "X-Bypass", "Monkey", "keyword", "keyboard-layout", "passenger", "passengers", "passage", "passport",
    "compass", "bypass", "author", "authority", "authored_by", "signed", "signup", "assigned", "design", "insignia", "cookiecutter", "tokenizer", "max_tokens",
    "secretary", "turkey", "hockey", "X-Team", "region", "", "maxAuthors", "bySignal",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_name_with_a_word_of_secrets_is_like_one(name: str) -> None:
    """However its words are put together."""
    assert like_secret(name)
    assert secret_in_query(f"https://a.example/x?page=1&{quote(name)}=canary")


@pytest.mark.parametrize("name", ORDINARY)
def test_a_name_in_which_such_letters_only_stand_is_none(name: str) -> None:
    """A passenger is no password."""
    assert not like_secret(name)
    assert not secret_in_query(f"https://a.example/x?page=1&{quote(name)}=2")


def test_ordinary_addresses_and_headers_are_written_down(tmp_path: Path) -> None:
    path = tmp_path / "hooks.yaml"
    path.write_text(
        HEAD.replace("/x", "/x?passenger=1") + "    headers: {X-Design: a, X-Author: b, X-Compass: c}\n", "utf-8"
    )

    call = hooks_here(path).terms("make").call

    assert call is not None
    assert {"X-Design": "a", "X-Author": "b", "X-Compass": "c"} == call.headers


def test_an_address_inside_is_taken_where_the_file_opens_its_network(tmp_path: Path) -> None:
    path = tmp_path / "hooks.yaml"
    path.write_text(
        "inside: [127.0.0.0/8, 10.1.0.0/16]\nhooks:\n  make: {url: 'https://127.0.0.1/', allow: [127.0.0.1]}\n"
        "  look: {use: scan_files, allow: ['10.1.2.3:8443']}\n"
    )

    assert {"make", "look"} <= set(hooks_here(path).names)


@pytest.mark.parametrize(
    ("network", "host"),
    [
        ("198.18.0.0/15", "198.18.4.4"), ("240.0.0.0/4", "240.1.1.1"), ("192.0.2.0/24", "192.0.2.9"), ("fec0::/10", "[fec0::1]"),
        ("64:ff9b:1::/48", "[64:ff9b:1::1]"),
    ],
)  # fmt: skip
def test_the_way_out_of_a_closed_address_is_one(tmp_path: Path, network: str, host: str) -> None:
    """Its network, named as the sentence says."""
    text = f"hooks:\n  make: {{url: 'https://{host}/', allow: ['{host}']}}\n"
    (found,) = read(tmp_path, text)
    (tmp_path / "hooks.yaml").write_text(f"inside: ['{network}']\n" + text)

    assert "forbidden_address" in found
    assert "name its network under `inside`" in found
    assert "make" in hooks_here(tmp_path / "hooks.yaml").names


def test_of_an_address_that_nothing_opens_no_such_way_out_is_told(tmp_path: Path) -> None:
    """What a cloud tells its machines stays shut."""
    text = "inside: [169.254.0.0/16]\nhooks: {make: {url: 'https://169.254.169.254/', allow: [169.254.169.254]}}\n"
    (found,) = read(tmp_path, text)

    assert found.startswith("2:21 forbidden_address ")
    assert "name its network" not in found


@pytest.mark.parametrize(("keyword", "page", "words"), [
    ("seconds", "hooks", "at most {}."), ("seconds", "channels", "up to {} seconds"), ("seconds", "decisions/0013-channels-and-going-out", "{} seconds"),
    ("megabytes", "hooks", "at most {}."), ("megabytes", "channels", "up to {} MiB"), ("megabytes", "decisions/0013-channels-and-going-out", "{} MiB"),
])  # fmt: skip
def test_the_pages_tell_how_much_a_hook_may_be_given(keyword: str, page: str, words: str) -> None:
    """Of everything that goes out, hooks alone may have more than 1 MiB and 10 seconds."""
    (most,) = [one.le for one in HookEntry.model_fields[keyword].metadata if hasattr(one, "le")]
    rows = (ROOT / f"docs/{page}.md").read_text("utf-8").splitlines()

    assert any(words.format(most) in row and (f"`{keyword}" in row or page != "hooks") for row in rows)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Whoever mends a file mends it once."""
    text = "hooks:\n  one: {url: 'http://a.example/', allow: [a.example]}\n  two: {url: 'https://b.example/'}\n"

    assert ["2", "3"] == [one.split(":")[0] for one in read(tmp_path, text)]
