"""Queries of gathering."""
