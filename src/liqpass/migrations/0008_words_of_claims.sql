-- liqpass: committed before the next file
-- Words that the tables of claims need.

alter type ledger_kind add value 'CLAIM';       -- a claim was approved; ref: the order's public id
alter type ledger_kind add value 'CLAIM_PAID';  -- the claim's transfer is safe; ref: its log

alter type disbursement_purpose add value 'CLAIM';  -- of an approved claim

alter type break_type add value 'CLAIM_WITHOUT_PAYOUT';   -- a claim was approved, and nothing is to be paid out for it
alter type break_type add value 'PAYOUT_WITHOUT_CLAIM';   -- something was paid out as a claim's that no approval explains
alter type break_type add value 'CLAIM_PAID_TWICE';       -- more was paid for an order than its claim was approved for
alter type break_type add value 'CLAIM_PAID_TO_ANOTHER';  -- it went to somebody whom nobody named
alter type break_type add value 'CLAIM_OVERDUE';          -- approved long ago, and not seen on chain
