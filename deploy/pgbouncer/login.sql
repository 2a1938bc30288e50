-- As a superuser, once, after the first `liqpass migrate`: psql -f login.sql. Change the passwords.

-- For session.ini, and for `liqpass serve` and `liqpass work` without any pooler: it may become liqpass_app and nothing else.
create role liqpass_login login noinherit password 'change me' in role liqpass_app;

-- For transaction.ini: what a session would set is set for the login. LiqPass names what it misses here.
create role liqpass_pooled login noinherit password 'change me' in role liqpass_app;
alter role liqpass_pooled set role = 'liqpass_app';
alter role liqpass_pooled set search_path = 'public';
alter role liqpass_pooled set timezone = 'UTC';
alter role liqpass_pooled set statement_timeout = '0';
alter role liqpass_pooled set lock_timeout = '0';
alter role liqpass_pooled set idle_in_transaction_session_timeout = '15s';
alter role liqpass_pooled set synchronous_commit = 'on';
