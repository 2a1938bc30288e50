"""The vault: users' read-only exchange keys, sealed; and the gate that lets no other key in."""
