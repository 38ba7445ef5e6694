create table spool.loops (
  id           text primary key,
  org          text not null,
  user_id      text not null,
  name         text not null,
  spec         jsonb not null,
  retry_of     text references spool.loops,
  -- Submitted with the owner's token: may name paths and private addresses of this machine.
  is_trusted   boolean not null,
  state        text not null default 'queued' check (state in ('queued', 'running', 'paused', 'ended')),
  ending       text,
  reason       text,
  base         text,
  -- Passes that ended in a failure of this house, since the last one that did not.
  failures     integer not null default 0,
  branch       text,
  bundle       text,
  event_seq    bigint not null default 0,
  ready_at     timestamptz not null default now(),
  cancelled_at timestamptz,
  lease_owner  text,
  lease_until  timestamptz,
  -- Goes up with every lease. A write under an older one changes nothing.
  lease_fence  bigint not null default 0,
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  ended_at     timestamptz,
  check ((state = 'ended') = (ending is not null)),
  check ((state = 'ended') = (ended_at is not null)),
  check ((state = 'running') = (lease_owner is not null))
);
create index loops_ready on spool.loops (ready_at) where state <> 'ended';
create index loops_of_org on spool.loops (org, created_at desc, id desc);

create table spool.passes (
  loop          text not null references spool.loops,
  pass          integer not null check (pass > 0),
  attempt       integer not null default 1,
  phase         text not null default 'agent' check (phase in ('agent', 'gates', 'settled')),
  sha           text,
  tree_changed  boolean not null default false,
  files_changed integer not null default 0,
  agent_exit    integer,
  agent_cut     text,
  -- What the proxy and the agent said at the pass's end: the facts that its decision is made from.
  outcome       jsonb,
  last_message  text,
  promised      boolean not null default false,
  open_items    integer,
  gates         jsonb not null default '[]',
  next          text,
  reason        text,
  output        bytea,
  started_at    timestamptz not null default now(),
  ended_at      timestamptz,
  primary key (loop, pass)
);

-- What each attempt of a pass used. Absolute figures of the proxy's record: writing one again counts nothing twice.
create table spool.attempts (
  loop          text not null,
  pass          integer not null,
  attempt       integer not null,
  sandbox       text,
  input_tokens  bigint not null default 0,
  cached_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_nano_usd bigint not null default 0,
  primary key (loop, pass, attempt),
  foreign key (loop, pass) references spool.passes
);

create table spool.events (
  loop text not null references spool.loops,
  seq  bigint not null,
  at   timestamptz not null default now(),
  body jsonb not null,
  primary key (loop, seq)
);
