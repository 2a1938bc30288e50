"""LiqPass sells short cover against liquidation to traders of perpetual swaps."""
