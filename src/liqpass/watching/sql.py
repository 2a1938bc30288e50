"""Queries of watching."""
