"""How fast the order loop, reconciliation and the pages are, and what they take."""
