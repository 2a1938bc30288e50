"""Sign-in with a wallet (EIP-4361): who is asking. Users are wallet addresses, 20 bytes."""
