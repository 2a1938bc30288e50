"""What approvals, the ledger and payouts say of claims."""
