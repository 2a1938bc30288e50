"""`liqpass contract deploy` and `liqpass contract verify`."""

import warnings
from collections.abc import Mapping
from functools import partial
from getpass import GetPassWarning
from typing import NamedTuple

import typer

from liqpass.app import ask_any, checkout_terms
from liqpass.chain import deploy
from liqpass.chain.checkout import address_of
from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node
from liqpass.chain.verify import Row, Terms, verify
from liqpass.hexes import address
from liqpass.place import Progress
from liqpass.problems import Problem
from liqpass.settings import HOW_TO_MAKE_A_SIGNER, SettingError, chain_from_env, http_url, private_key

DEPLOYER = "LIQPASS_DEPLOYER_KEY"
SIGNER = "LIQPASS_QUOTE_SIGNER_KEY"


class Plan(NamedTuple):
    """What shall be deployed, and through which endpoint."""

    url: str
    terms: Terms
    owner: bytes  # 20 bytes


def plan_of(
    env: Mapping[str, str], url: str, chain_id: int, usdc: str, treasury: str, signer: str | None, owner: str
) -> Plan:
    """Read before anybody is asked for a key. Raises SettingError for what cannot be used."""
    by = _address("--signer", signer) if signer is not None else _own_signer(env)
    terms = Terms(chain_id, _address("--usdc", usdc), _address("--treasury", treasury), by)
    return Plan(http_url("--rpc", url), terms, _address("--owner", owner))


def deployers_key(env: Mapping[str, str]) -> bytes:
    """The environment's, or else asked for without being shown. Raises SettingError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            key = env.get(DEPLOYER) or typer.prompt("Deployer's private key", hide_input=True)
        except GetPassWarning:
            raise SettingError(DEPLOYER, "is not set, and there is no terminal to ask for it at") from None
    return private_key({DEPLOYER: key}, DEPLOYER, "the key that pays for the deployment")


async def deploy_checkout(plan: Plan, deployer: bytes, *, yes: bool, tell: Progress) -> None:
    """Show, ask, send, compare, and print the environment. Raises SettingError for what went wrong."""
    terms = plan.terms
    async with Node(plan.url) as node:
        try:
            prepared = await deploy.prepare(node.call, deployer, terms, plan.owner)
            if not _shown(prepared.rows) or prepared.transaction is None:
                raise typer.Exit(1)
            if not yes and not typer.confirm("Send this transaction?"):
                raise typer.Exit(1)
            done = await deploy.deploy(node.call, deployer, prepared, tell=partial(_sending, tell))
            typer.echo("\n# put these into the environment, with LIQPASS_QUOTE_SIGNER_KEY of the signer:")
            for name, value in deploy.environment(done).items():
                typer.echo(f"{name}={value}")
            typer.echo("\n# what stands there now, compared:")
            if not _shown(await verify(node.call, done.checkout, terms)):
                raise typer.Exit(1)
        except (NodeError, deploy.DeployError) as error:
            raise SettingError("contract deploy", str(error)) from error


async def verify_checkout(env: Mapping[str, str]) -> None:
    """Every comparison on a line of its own; exit status 1 when one fails."""
    chain = chain_from_env(env)
    nodes = tuple(Node(url) for url in chain.rpc_urls)
    try:
        rows = await verify(partial(ask_any, nodes), chain.checkout, checkout_terms(chain))
    except NodeError as error:
        raise SettingError("LIQPASS_RPC_URLS", str(error)) from error
    finally:
        for node in nodes:
            await node.close()
    if not _shown(rows):
        raise typer.Exit(1)


def _sending(tell: Progress, what: str) -> None:
    typer.echo(what)
    tell("sending, then waiting for its block …")


def _shown(rows: list[Row]) -> bool:
    for row in rows:
        typer.echo(f"{'ok  ' if row.ok else 'FAIL'}  {row.name}: {row.detail}")
    return all(row.ok for row in rows)


def _own_signer(env: Mapping[str, str]) -> bytes:
    """The address of the key that this product is set to sign with: nothing else says it."""
    return address_of(private_key(env, SIGNER, f"{HOW_TO_MAKE_A_SIGNER} (or name its address with --signer)"))


def _address(option: str, text: str) -> bytes:
    try:
        return address(text, option)
    except Problem as problem:
        raise SettingError(option, problem.detail.removeprefix(f"{option} ")) from None
