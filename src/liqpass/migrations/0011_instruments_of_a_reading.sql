-- The instruments of the open positions in what was last read of an account: so that one statement finds the
-- reading and all that its quotes are made of. Null until the account is read again, which it is where they
-- are missing (code of before this column leaves them as they are: whoever uses them compares).
alter table position_readings add column inst_ids text[];
