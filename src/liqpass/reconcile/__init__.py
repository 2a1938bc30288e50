"""Orders, chain and ledger held against each other, and the books against their own rules."""
