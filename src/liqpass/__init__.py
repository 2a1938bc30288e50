"""LiqPass sells short cover against liquidation to traders of perpetual swaps."""

__version__ = "0.1.0"
