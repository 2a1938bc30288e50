"""Which session is a living one: one rule for every statement that finds out who asks."""

# Of `sessions s`: the one of this token's hash, at this time.
LIVING_SESSION = "s.token_sha256 = {} and s.expires_at > {} and s.revoked_at is null"
