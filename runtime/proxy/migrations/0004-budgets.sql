-- What may be spent, by whom, in which window. Every change gives a row a higher revision, and a removed one stays for a
-- day, so that proxies learn of both by reading what is newer than what they know.
create table proxy.budgets (
  id              bigint generated always as identity primary key,
  org             text not null,
  name            text not null,
  level           text not null check (level in ('org', 'team', 'user', 'key', 'loop', 'sandbox', 'model')),
  subject         text,
  model           text,
  unit            text not null check (unit in ('usd', 'tokens', 'requests')),
  amount          bigint not null check (amount >= 0),
  "window"        text not null check ("window" in ('minute', 'hour', 'day', 'week', 'month', 'total')),
  zone            text not null,
  clip            text not null check (clip in ('off', 'allow')),
  clip_tokens_min bigint not null,
  enforce         text not null check (enforce in ('refuse', 'observe')),
  enabled         boolean not null,
  raise_amount    bigint,
  raise_until     timestamptz,
  made_by         text not null,
  created_at      timestamptz not null,
  removed_at      timestamptz,
  revision        bigint not null,
  check ((level = 'org') = (subject is null)),
  check ((raise_amount is null) = (raise_until is null))
);
create unique index budgets_name on proxy.budgets (org, name) where removed_at is null;
create index budgets_revision on proxy.budgets (revision);

-- One row: whoever changes a budget locks it until the change is there, so that revisions appear in their order.
create table proxy.budget_revision (
  is_one   boolean primary key default true check (is_one),
  revision bigint not null
);
insert into proxy.budget_revision (revision) values (0);

-- Who leases: a ledger's journal. Its epoch rises with each start, so what an older process says is refused.
create table proxy.budget_holders (
  holder text primary key,
  epoch  bigint not null
);

-- What holders leased of a budget in a window, as running totals. `spent` is booked from the lines of the ledger, in the
-- transaction that ships them. A holder counts with what it leased and did not return, or with what it spent where that is
-- more. The row of the holder '' is what earlier processes spent.
create table proxy.budget_leases (
  budget       bigint not null references proxy.budgets on delete cascade,
  window_start bigint not null,
  holder       text not null,
  epoch        bigint not null,
  window_end   bigint,
  seq          bigint not null default 0,
  granted      bigint not null default 0,
  returned     bigint not null default 0,
  spent        bigint not null default 0,
  primary key (budget, window_start, holder, epoch)
);
create index budget_leases_holder on proxy.budget_leases (holder, epoch);
create index budget_leases_end on proxy.budget_leases (window_end) where window_end is not null;

-- Leases a slice, takes one back, or both, and says what there is. The lock on the budget makes holders take turns; each
-- statement below sees what those before it committed. A message with a number that is known changes nothing.
create function proxy.lease_budget(
  a_budget bigint, a_start bigint, a_end bigint, a_holder text, a_epoch bigint,
  a_seq bigint, a_returned bigint, a_want bigint, a_least bigint, a_now timestamptz
) returns table (
  is_gone boolean, seq bigint, granted bigint, returned bigint,
  amount bigint, others_spent bigint, others_held bigint, room bigint
) language plpgsql as $$
declare
  found_budget proxy.budgets;
  own proxy.budget_leases;
  allowed bigint;
  spent_beside bigint;
  held_beside bigint;
  free bigint;
begin
  select * into found_budget from proxy.budgets b
    where b.id = a_budget and b.removed_at is null for no key update;
  if not found then
    return query select true, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint;
    return;
  end if;
  allowed := case when found_budget.raise_until > a_now then found_budget.raise_amount
    else found_budget.amount end;
  insert into proxy.budget_leases (budget, window_start, holder, epoch, window_end)
    values (a_budget, a_start, a_holder, a_epoch, a_end) on conflict do nothing;
  select * into own from proxy.budget_leases l
    where l.budget = a_budget and l.window_start = a_start and l.holder = a_holder and l.epoch = a_epoch
    for update;
  select coalesce(sum(l.spent), 0), coalesce(sum(greatest(l.granted - l.returned - l.spent, 0)), 0)
    into spent_beside, held_beside
    from proxy.budget_leases l
    where l.budget = a_budget and l.window_start = a_start and (l.holder, l.epoch) <> (a_holder, a_epoch);
  if a_seq > own.seq then
    own.seq := a_seq;
    own.returned := greatest(own.returned, least(a_returned, own.granted));
    free := allowed - spent_beside - held_beside - (own.granted - own.returned);
    if a_want > 0 and free > 0 and free >= a_least then
      own.granted := own.granted + least(a_want, free);
    end if;
    update proxy.budget_leases l set seq = own.seq, returned = own.returned, granted = own.granted
      where l.budget = a_budget and l.window_start = a_start and l.holder = a_holder and l.epoch = a_epoch;
  end if;
  return query select false, own.seq, own.granted, own.returned, allowed, spent_beside, held_beside,
    allowed - spent_beside - held_beside - greatest(own.granted - own.returned, own.spent);
end $$;
