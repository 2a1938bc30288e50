"""Where Patroni, etcd and PostgreSQL are, and as whom they run: PostgreSQL refuses root."""

import os
import pwd
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from liqpass.postgres_programs import readable_programs, run_as, system_account

TOP = Path(__file__).resolve().parents[2]
VENV = TOP / ".venv"
ETCD = shutil.which("etcd", path=os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)]))


@dataclass(frozen=True)
class Programs:
    """`account`: who they run as, None: we ourselves. `patroni`: its command, in that environment."""

    account: pwd.struct_passwd | None
    postgres: Path
    etcd: str
    patroni: list[str]
    env: Mapping[str, str]


def programs(folder: Path) -> Programs:
    """All of them, readable for whoever runs them: copied into the folder where they are not."""
    if ETCD is None:
        pytest.skip("there is no etcd here: apt-get install etcd-server, and python3-etcd for Patroni")
    account = system_account() if os.geteuid() == 0 else None
    postgres = readable_programs(folder, account, lambda _: None)
    python = str(Path(sys.executable).resolve())
    (site,) = (VENV / "failover").glob("lib/python*/site-packages")
    if account and not _imports(account, python, site):
        site = Path(shutil.copytree(site, folder / "site-packages"))
        for path in (site, *site.rglob("*")):
            path.chmod(0o755)
        assert _imports(account, python, site), (
            f"{account.pw_name} cannot run {python}: make PYTHON=/usr/bin/python3"
        )
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HOME": str(folder),
        "PYTHONPATH": str(site),
    }
    return Programs(account, postgres, ETCD, [python, "-m", "patroni"], env)


def _imports(account: pwd.struct_passwd, python: str, site: Path) -> bool:
    try:
        tried = [
            python,
            "-c",
            f"import sys; sys.path.insert(0, {str(site)!r}); import etcd, patroni.dcs.etcd3",
        ]
        return run_as(account, Path("/"), tried).returncode == 0
    except OSError:
        return False
