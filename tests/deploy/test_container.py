"""The image and what runs beside it, read without what builds and runs them (`make container` builds it)."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from liqpass.__main__ import cli
from liqpass.serving import free_port
from liqpass.settings import Settings
from tests.foundation.test_settings import WHOLE

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "deploy" / "container"
OURS = ["migrate", "serve", "work"]
INSTRUCTIONS = {"ARG", "FROM", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


@pytest.fixture(scope="module")
def image() -> list[tuple[str, str]]:
    """The Containerfile: instruction and what follows, in their order."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def test_the_image_runs_as_nobody_of_the_machine_and_holds_no_setting(image: list[tuple[str, str]]) -> None:
    assert {word for word, _ in image} == INSTRUCTIONS
    last_stage = image[max(number for number, (word, _) in enumerate(image) if word == "FROM") :]
    assert ("USER", "10001:10001") in last_stage
    assert [word for word, _ in last_stage].index("USER") > [word for word, _ in last_stage].index("RUN")
    assert not re.search("DATABASE_URL|API_KEYS|LIQPASS_", str(image))


def test_what_the_image_copies_is_what_make_puts_into_its_folder(image: list[tuple[str, str]]) -> None:
    copied = [rest.split() for word, rest in image if word == "COPY" and not rest.startswith("--from")]
    assert copied == [["requirements.lock", "liqpass-*.whl", "/build/"]]
    dry = ["make", "--dry-run", "--silent", "container", "BUILDER=podman", "BASE=mine"]
    said = subprocess.run(dry, cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert "cp requirements.lock dist/" in said
    build = next(line for line in said.splitlines() if line.startswith("podman build "))
    assert build.split()[-1] == "dist"
    assert "--build-arg BASE=mine" in build


@pytest.mark.parametrize("name", OURS)
def test_liqpass_is_shut_in_and_its_command_is_one(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    assert service["image"] == "liqpass"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    command, *arguments = service["command"]
    known = get_command(cli).commands[command]  # type: ignore[attr-defined]
    assert known.make_context(command, [str(argument) for argument in arguments]).params  # it takes them


def test_the_database_can_be_reached_from_beside_it_alone(compose: dict[str, Any]) -> None:
    assert "ports" not in compose["services"]["postgres"]
    assert [name for name in compose["services"] if name not in OURS] == ["postgres"]


def test_secrets_are_files_that_are_called_like_settings(compose: dict[str, Any]) -> None:
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(compose["secrets"])
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"secrets/{name}"
    for name in OURS:
        service = compose["services"][name]
        assert service["environment"]["CREDENTIALS_DIRECTORY"] == "/run/secrets"
        assert {*service["secrets"]} == {"DATABASE_URL", "API_KEYS_ENC_KEY", "LIQPASS_QUOTE_SIGNER_KEY"}


def test_a_proxy_on_the_machine_is_believed_who_calls(compose: dict[str, Any]) -> None:
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    told = compose["services"]["serve"]["environment"]["LIQPASS_PROXIES"]
    assert Settings.from_env({**WHOLE, "LIQPASS_PROXIES": told}).proxies == (network["subnet"],)


@pytest.mark.parametrize("name", ["serve", "work"])
def test_what_asks_for_health_can_be_run_in_the_image(
    name: str, compose: dict[str, Any], image: list[tuple[str, str]]
) -> None:
    kind, python, option, program = compose["services"][name]["healthcheck"]["test"]
    assert (kind, option) == ("CMD", "-c")
    assert str(Path(python).parents[1]) in next(
        rest for word, rest in image if word == "COPY" and "--from" in rest
    )
    elsewhere = re.sub(r":800[01]/", f":{free_port()}/", program)
    assert elsewhere != program
    asked = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, check=False)
    assert asked.returncode == 1  # nobody answers there
    assert "URLError" in asked.stderr
