"""How fast the order loop is, beside the database alone."""
