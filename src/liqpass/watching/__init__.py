"""Covered positions are read again while their cover runs; what changed is kept, what ended opens a claim."""
