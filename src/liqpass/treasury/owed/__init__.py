"""What claims are owed."""
