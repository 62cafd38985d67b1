"""docker-compose.yml and Dockerfile, checked without a container engine."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runtime.search_attributes import SEARCH_ATTRIBUTES
from runtime.settings import ROOT, Settings

SCRIPTS = Path(sysconfig.get_path("scripts"))
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A tool's answer, never an exception."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file, merges resolved."""
    return dict(YAML(typ="safe").load(COMPOSE.read_text())["services"])


def test_the_compose_file_follows_the_specification(tmp_path: Path) -> None:
    """And a misspelt key would be seen."""
    wrong = tmp_path / "compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "heathcheck:", 1))
    check = (SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec")

    good, bad = run(*check, COMPOSE), run(*check, wrong)

    assert good.returncode == 0, good.stdout
    assert bad.returncode == 1


def test_the_dockerfile_is_clean() -> None:
    """hadolint finds nothing, not even a hint."""
    answer = run(SCRIPTS / "hadolint", "--no-color", DOCKERFILE)

    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_image_is_pinned_unprivileged_checked_and_hashed() -> None:
    """What hadolint does not look at."""
    text = DOCKERFILE.read_text()

    assert re.search(r"(?m)^FROM python:\d+\.\d+\.\d+-", text)
    assert re.search(r"(?m)^USER [1-9]\d+$", text)
    assert "HEALTHCHECK" in text
    assert "--require-hashes --requirement requirements.lock" in text


def test_the_image_holds_every_room() -> None:
    """A room that is not copied is an ImportError in the installation only. Tests and benchmarks stay at home."""
    text = DOCKERFILE.read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rooms = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "benchmarks")]
    copied = re.findall(r"(?m)^COPY (\S+) \./\1$", text)

    assert set(rooms) <= set(copied)
    assert set(rooms) <= {line.removeprefix("!") for line in ignored}


def test_every_image_has_an_exact_version(services: dict[str, Any]) -> None:
    """And the two halves of Temporal have the same one."""
    images = {name: service["image"] for name, service in services.items() if "build" not in service}

    assert [image for image in images.values() if not re.search(r":\d+(\.\d+)+$", image)] == []
    assert (
        len(
            {
                image.rpartition(":")[2]
                for image in images.values()
                if "temporalio/ui" not in image and "postgres" not in image
            }
        )
        == 1
    )


def test_ports_are_open_on_this_machine_only(services: dict[str, Any]) -> None:
    """A database or a server without a login belongs on no network."""
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_there_is_no_password_in_the_file(services: dict[str, Any]) -> None:
    """Each one is a variable that compose insists on."""
    values = [
        str(value)
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|PWD|_URL$", name)
    ]

    secret = [value for value in values if "POSTGRES_PASSWORD" in value]
    assert len(secret) >= 4
    assert [value for value in secret if "${POSTGRES_PASSWORD:?" not in value] == []
    assert [value for value in values if value not in secret and "://" in value and "@" in value] == []


def test_what_stays_up_is_health_checked_and_what_ends_is_waited_for(
    services: dict[str, Any],
) -> None:
    """The worker's check is in its image."""
    jobs = {"temporal-schema", "temporal-namespace"}
    waited = {
        (other, rule["condition"])
        for service in services.values()
        for other, rule in service.get("depends_on", {}).items()
    }

    assert {"worker"} == {name for name in services if name not in jobs and "healthcheck" not in services[name]}
    assert {(job, "service_completed_successfully") for job in jobs} <= waited
    assert {"service_healthy"} == {rule for other, rule in waited if other not in jobs}


def test_the_namespace_job_registers_our_search_attributes(services: dict[str, Any]) -> None:
    """An unregistered one stops every run that sets it."""
    script = services["temporal-namespace"]["command"][0]

    assert dict(SEARCH_ATTRIBUTES) == dict(re.findall(r"--name (\w+) --type (\w+)", script))


def test_the_jobs_are_shell_that_parses(services: dict[str, Any]) -> None:
    """`$$` is compose's way to write `$`."""
    for name in ("temporal-schema", "temporal-namespace"):
        script = services[name]["command"][0].replace("$$", "$")

        assert run("/bin/sh", "-n", "-c", script).returncode == 0


def test_the_worker_gets_only_settings_that_exist(services: dict[str, Any]) -> None:
    """An unknown one would end it with 64."""
    given = {name for name in services["worker"]["environment"] if name.startswith("ONBOARDING_")}

    assert given <= {f"ONBOARDING_{name.upper()}" for name in Settings.model_fields}


def test_no_service_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    """Nobody gains any; only the database keeps what its image needs to own its files, and the worker writes to nothing but memory."""
    kept = {name: service["cap_add"] for name, service in services.items() if "cap_add" in service}

    assert [name for name, service in services.items() if service.get("cap_drop") != ["ALL"]] == []
    assert [name for name, one in services.items() if "no-new-privileges:true" not in one.get("security_opt", ())] == []
    assert kept == {"postgresql": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]}
    assert [name for name, service in services.items() if service.get("privileged") or "user" in service] == []
    assert services["worker"]["read_only"] is True
    assert {path.partition(":")[0] for path in services["worker"]["tmpfs"]} == {"/tmp", "/app/.data"}


def test_nothing_turns_on_the_debug_mode_of_the_sdk(services: dict[str, Any]) -> None:
    """It lets a workflow task run for ever, and prints what it holds."""
    set_here = [name for name, service in services.items() if "TEMPORAL_DEBUG" in service.get("environment", {})]

    assert set_here == []
    assert "TEMPORAL_DEBUG" not in DOCKERFILE.read_text()
