"""Purchase orders and the states they go through."""
