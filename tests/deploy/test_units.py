"""The units, as systemd itself reads them; and what they rely on: credentials, and saying who is ready."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.commands.cli import SPARE_SEC, ended, liqpass, start

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
SERVICES = ["liqpass-serve.service", "liqpass-work.service", "liqpass-backup.service"]
PROGRAM = "/usr/local/bin/liqpass"
MOST_EXPOSED = 20  # tenths; systemd calls what is below "OK", and an ordinary unit has 96
ANALYZE = shutil.which("systemd-analyze")
wants_systemd = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze: apt-get install systemd")


def analyzed(*command: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *command], capture_output=True, text=True, check=False)


@wants_systemd
def test_systemd_has_nothing_to_say_against_the_units(tmp_path: Path) -> None:
    """It wants the program to be there: /bin/true stands for it."""
    units = []
    for unit in sorted(UNITS.glob("liqpass-*.*")):
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
        units.append(str(tmp_path / unit.name))
    assert len(units) == 4
    done = analyzed("verify", "--recursive-errors=no", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@wants_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_a_unit_is_shut_in_as_systemd_would_have_it(unit: str) -> None:
    done = analyzed(
        "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(UNITS / unit)
    )
    assert done.returncode == 0, done.stdout
    assert f"Overall exposure level for {unit}: " in done.stdout


@wants_systemd
def test_systemd_would_complain_of_a_unit_that_is_wrong_or_open(tmp_path: Path) -> None:
    """So that its silence means something."""
    text = (UNITS / "liqpass-serve.service").read_text()
    wrong = tmp_path / "wrong.service"
    wrong.write_text(text.replace(PROGRAM, "/bin/true").replace("PrivateTmp=yes", "PrivateTmpp=yes"))
    assert "PrivateTmpp" in analyzed("verify", "--recursive-errors=no", str(wrong)).stderr
    wide = tmp_path / "open.service"
    wide.write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith(("Pr", "Sys", "Cap")))
    )
    assert analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(wide)).returncode != 0


def test_a_command_by_hand_runs_as_the_services_do() -> None:
    """What running.md has one type has their user and settings."""
    typed = re.search(
        r"as_liqpass\(\) \{.*?\}\n", (UNITS.parents[1] / "docs/running.md").read_text(), re.DOTALL
    )
    assert typed
    for unit in ("serve", "work"):
        lines = (UNITS / f"liqpass-{unit}.service").read_text().splitlines()
        wanted = [f"-p {line} " for line in lines if line.startswith(("EnvironmentFile=", "LoadCredential="))]
        assert [one for one in wanted if one not in typed[0]] == [], unit
        assert "User=liqpass" in lines
    assert (len(wanted), "--uid=liqpass " in typed[0], PROGRAM in typed[0]) == (3, True, True)
    assert subprocess.run(["sh", "-n"], input=typed[0], text=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["serve", "work"])
async def test_it_starts_by_credentials_says_when_it_is_ready_and_ends_by_sigterm(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    """As a unit runs it: secrets in files, Type=notify, and nothing of it is failure."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for secret in ("API_KEYS_ENC_KEY", "LIQPASS_QUOTE_SIGNER_KEY", "DATABASE_URL"):
        (credentials / secret).write_text(env.pop(secret) + "\n")
    (credentials / "tls.pem").write_text("of somebody else\n")
    heard_at = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(heard_at))
        told = {"CREDENTIALS_DIRECTORY": str(credentials), "NOTIFY_SOCKET": str(heard_at)}
        process = await start(name, env={**env, **told})
        supervisor.setblocking(False)
        heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(supervisor, 4096), SPARE_SEC)
    assert heard.decode().startswith("READY=1\nSTATUS=")
    process.send_signal(signal.SIGTERM)
    assert (await ended(process)).status == 0


async def test_a_credential_that_is_no_setting_in_words_is_named(tmp_path: Path) -> None:
    (tmp_path / "API_KEYS_ENC_KEY").write_bytes(os.urandom(32) + b"\xff\n")
    done = await liqpass("keys", "check", env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert done.status == 1
    assert done.err == (
        f"liqpass: API_KEYS_ENC_KEY: {tmp_path}/API_KEYS_ENC_KEY cannot be read: it is no line of text\n"
    )


async def test_credentials_that_are_not_there_are_named(tmp_path: Path) -> None:
    done = await liqpass("keys", "check", env={"CREDENTIALS_DIRECTORY": str(tmp_path / "gone")})
    assert done.status == 1
    assert done.err == (
        f"liqpass: CREDENTIALS_DIRECTORY: {tmp_path}/gone cannot be read: No such file or directory\n"
    )
