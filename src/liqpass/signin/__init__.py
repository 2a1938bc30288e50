"""Who is calling: a wallet proves itself once (EIP-4361) and gets a session."""
