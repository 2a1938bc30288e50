"""Covers that wait to be settled."""
