"""From a submitted hash, or a payment seen on the chain, to cover."""
