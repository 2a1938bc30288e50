"""Holders of exchange keys before the sandbox exchange, and what the tests need around them."""

import base64
import os
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liqpass.db import Database
from liqpass.sandbox.okx_margin import Key

KEY, NEXT_KEY = bytes(range(32)), bytes(range(1, 33))
PATH = "/api/okx/api-accounts"


def body_of(key: Key, **more: object) -> dict[str, object]:
    """What the form sends for a key."""
    return {"apiKey": key.api_key, "secret": key.secret, "passphrase": key.passphrase, **more}


async def add(http: httpx.AsyncClient, key: Key, **more: object) -> httpx.Response:
    """Hand over a key."""
    return await http.post(PATH, json=body_of(key, **more))


async def added(http: httpx.AsyncClient, key: Key, **more: object) -> dict[str, Any]:
    """Hand over a key that is let in."""
    answer = await add(http, key, **more)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def own(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The visitor's accounts."""
    listed: list[dict[str, Any]] = (await http.get(PATH)).json()["apiAccounts"]
    return listed


async def rows(db: Database) -> list[dict[str, Any]]:
    """The table as it stands."""
    async with db.pool.acquire() as conn:
        return [dict(row) for row in await conn.fetch("select * from api_accounts order by created_at, id")]


async def write(db: Database, statement: str, *arguments: object) -> None:
    """Whatever somebody with access to the database may write."""
    async with db.pool.acquire() as conn:
        await conn.execute(statement, *arguments)


def sealed_of_old(key: bytes, plaintext: str) -> str:
    """The layout of the first version: base64 of nonce 12, tag 16, ciphertext; no associated data."""
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), None)
    return base64.b64encode(nonce + sealed[-16:] + sealed[:-16]).decode()
