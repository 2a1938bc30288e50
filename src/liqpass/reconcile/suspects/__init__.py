"""What may be off: keys whose facts are to be judged."""
