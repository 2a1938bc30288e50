"""What the price would have done on candles of the past: chances against what was seen, premiums against
payouts."""
