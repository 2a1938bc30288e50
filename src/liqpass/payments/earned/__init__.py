"""Premiums of running covers, earned day by day."""
