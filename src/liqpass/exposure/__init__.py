"""What open covers add up to, what of it is the most, and when the sale of a direction stops."""
