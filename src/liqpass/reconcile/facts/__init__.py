"""What reconciliation looks at: whatever may be off, and all that is stored of it."""
