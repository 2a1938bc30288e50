"""People decide: approvals, refusals, objections; and what becomes of an approved payout."""
