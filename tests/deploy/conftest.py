"""A chain and an exchange for the commands that are deployed here, and settings for them."""

from tests.commands.conftest import chain, env, exchange

__all__ = ["chain", "env", "exchange"]
