-- liqpass: committed before the next file
-- Words that the tables of claims need.

-- a claim was approved; ref: the order's public id
alter type ledger_kind add value 'CLAIM' after 'PAID_OUT';
-- the claim's transfer is safe; ref: its log
alter type ledger_kind add value 'CLAIM_PAID' after 'CLAIM';

-- of an approved claim
alter type disbursement_purpose add value 'CLAIM' after 'WITHDRAWAL';

-- a claim was approved, and nothing is to be paid out for it
alter type break_type add value 'CLAIM_WITHOUT_PAYOUT' after 'LEDGER_INCONSISTENT';
-- something was paid out as a claim's that no approval explains
alter type break_type add value 'PAYOUT_WITHOUT_CLAIM' after 'CLAIM_WITHOUT_PAYOUT';
-- more was paid for an order than its claim was approved for
alter type break_type add value 'CLAIM_PAID_TWICE' after 'PAYOUT_WITHOUT_CLAIM';
-- it went to somebody whom nobody named
alter type break_type add value 'CLAIM_PAID_TO_ANOTHER' after 'CLAIM_PAID_TWICE';
-- approved long ago, and not seen on chain
alter type break_type add value 'CLAIM_OVERDUE' after 'CLAIM_PAID_TO_ANOTHER';
