"""Traders of a fresh world."""

from tests.flows.conftest import alice, bob

__all__ = ["alice", "bob"]
