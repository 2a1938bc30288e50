"""What is on sale for the positions of an account, read in one round trip."""
