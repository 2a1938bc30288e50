"""Read-only exchange keys, sealed."""
