"""What reconciliation counts and adds up."""
