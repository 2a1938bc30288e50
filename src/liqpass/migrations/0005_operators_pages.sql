-- What the operator's overview counts, at any number of orders: orders by the day on which they were made, and
-- what was paid and cancelled today.

-- squawk-ignore require-concurrent-index-creation -- all missing files are one transaction; a second at most
create index purchase_orders_made on purchase_orders (created_at, status);
-- squawk-ignore require-concurrent-index-creation
create index purchase_orders_paid on purchase_orders (paid_at) where paid_at is not null;
-- squawk-ignore require-concurrent-index-creation
create index order_events_cancelled on order_events (at) where to_status = 'CANCELLED';
