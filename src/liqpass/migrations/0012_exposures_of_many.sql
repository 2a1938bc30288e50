-- Orders are made many at a time: what they add is summed by key before it is counted, so that a row which all
-- share is changed once. Where the sums leave no room for one of them, the whole statement is refused; whoever
-- sent it makes each alone. Fires after balances_are_kept, by its name: whoever comes here holds the pool's
-- accounts, so that these rows are changed by one at a time, in whatever order. Only a new order is refused:
-- what frees capital, what a claim takes or gives back, and what is held again for one, always goes through.
create or replace function keep_exposures() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    pool numeric;
    beyond record;
begin
    if not exists (select from added where 'POOL_LOCKED' in (debit, credit)) then
        return null;
    end if;
    select sum(balance) into pool from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED');
    select r.direction into beyond
        from (
            select r.direction, min(a.at) as at from added a join order_risks r on r.purchase_order_id = a.ref
            where a.kind = 'HELD' and a.leg = 1 and a.credit = 'POOL_LOCKED' group by r.direction
        ) r
        where exists (select from sale_stops s where s.direction = r.direction and s.ended_at is null
                and (s.until_at is null or s.until_at > r.at))
            or claimed_lately(r.direction, r.at) * 10000.0
                > pool * (select share_bps from exposure_limits where scope = 'CLAIMS')
        limit 1;
    if found then
        raise exception 'no cover of this direction is sold now: %', beyond.direction
            using errcode = 'check_violation', constraint = 'sale_not_stopped';
    end if;
    with moved as (
        select r.*, a.kind = 'HELD' and a.leg = 1 as is_new,
            case when a.credit = 'POOL_LOCKED' then a.amount else -a.amount end as amount
        from added a join order_risks r on r.purchase_order_id = a.ref
        where 'POOL_LOCKED' in (a.debit, a.credit)
    ),
    sums as (
        select k.scope, k.key, sum(m.amount)::bigint as amount, bool_or(m.is_new) as is_new
        from moved m cross join lateral (values
            ('DIRECTION'::exposure_scope, m.direction::text), ('INSTRUMENT', m.inst_id),
            ('ACCOUNT', m.main_uid), ('WALLET', '0x' || encode(m.wallet, 'hex'))
        ) k (scope, key)
        group by k.scope, k.key
    ),
    counted as (
        insert into exposures as e (scope, key, open_sum)
        select scope, key, amount from sums
        on conflict (scope, key) do update set open_sum = e.open_sum + excluded.open_sum
        returning scope, key, open_sum
    )
    select scope, key into beyond
        from counted join sums using (scope, key) join exposure_limits l using (scope)
        where sums.is_new and open_sum * 10000.0 > pool * l.share_bps limit 1;
    if found then
        raise exception 'more than may stand behind one %: %', lower(beyond.scope::text), beyond.key
            using errcode = 'check_violation', constraint = 'within_exposure_limits';
    end if;
    return null;
end
$$;
