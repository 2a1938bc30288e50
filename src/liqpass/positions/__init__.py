"""What the exchange shows of an account, and which position is bound to a product."""
