"""A world to play in: servers that speak the real protocols. The product never imports it."""
