-- A transfer may pay several dues: somebody who knows what it was for adopts it, by name and reason.

alter table disbursements_made
    -- squawk-ignore ban-drop-constraint -- what is written one row a transfer goes on to be so
    drop constraint disbursements_made_pkey,
    -- squawk-ignore constraint-missing-not-valid, adding-serial-primary-key-field -- a row a payout: a moment
    add primary key (chain_id, tx_hash, log_index, disbursement_id),
    add column adopted_by text check (adopted_by <> ''),
    add column adopt_reason text check (adopt_reason <> ''),
    -- squawk-ignore constraint-missing-not-valid
    add constraint adopted_by_somebody check (num_nonnulls(adopted_by, adopt_reason) in (0, 2));
