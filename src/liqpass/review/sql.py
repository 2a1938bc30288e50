"""Queries of review."""
