"""What the market did: candles of the mark price, and the volatility that they show."""
