"""What is owed for a liquidation: the rules, the verdict, the bundle, the states of a claim, settling."""
