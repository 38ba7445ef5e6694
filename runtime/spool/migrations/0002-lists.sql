-- The specs of loops lie beside their rows from now on: a list reads thousands of rows, and no prompt.
-- Whatever else a list reads stays in the row: fetching it from beside costs ten times as much.
alter table spool.loops set (toast_tuple_target = 128);
alter table spool.loops
  alter column id set storage main, alter column org set storage main, alter column user_id set storage main,
  alter column name set storage main, alter column retry_of set storage main, alter column state set storage main,
  alter column ending set storage main, alter column reason set storage main, alter column base set storage main,
  alter column branch set storage main, alter column bundle set storage main, alter column lease_owner set storage main;

-- What lists show and filter by, taken from the spec.
alter table spool.loops
  add column repository text not null generated always as (spec ->> 'repository') stored,
  add column ref text not null generated always as (spec ->> 'ref') stored,
  add column agent text not null generated always as (
    case jsonb_typeof(spec -> 'agent') when 'string' then spec ->> 'agent' else 'command' end) stored,
  add column model text not null generated always as (spec ->> 'model') stored,
  add column caps jsonb not null generated always as (spec -> 'caps') stored,
  -- What a search looks through: ready for a comparison byte by byte, which is ten times as fast as one by letters.
  add column sought text collate "C" not null
    generated always as (lower(name || chr(10) || (spec ->> 'repository'))) stored;
alter table spool.loops
  alter column repository set storage main, alter column ref set storage main, alter column agent set storage main,
  alter column model set storage main, alter column caps set storage main, alter column sought set storage main;

-- Sums over settled passes and their attempts, written whole each time one is settled: reading a loop costs the same
-- however many passes it has behind it.
alter table spool.loops
  add column settled_passes integer not null default 0,
  add column settled_input_tokens bigint not null default 0,
  add column settled_cached_tokens bigint not null default 0,
  add column settled_output_tokens bigint not null default 0,
  add column settled_cost_nano_usd bigint not null default 0;

update spool.loops l set settled_passes = s.passes, settled_input_tokens = s.input_tokens,
  settled_cached_tokens = s.cached_tokens, settled_output_tokens = s.output_tokens,
  settled_cost_nano_usd = s.cost_nano_usd
from (
  select p.loop, count(distinct p.pass) as passes, coalesce(sum(a.input_tokens), 0) as input_tokens,
    coalesce(sum(a.cached_tokens), 0) as cached_tokens, coalesce(sum(a.output_tokens), 0) as output_tokens,
    coalesce(sum(a.cost_nano_usd), 0) as cost_nano_usd
  from spool.passes p left join spool.attempts a on a.loop = p.loop and a.pass = p.pass
  where p.phase = 'settled' group by p.loop) s
where s.loop = l.id;

create index passes_open on spool.passes (loop) where phase <> 'settled';

-- Somebody's pause. `held_from` is when the loop's clock stopped: with the pause, or with the end of the pass that ran.
alter table spool.loops
  add column held_at timestamptz,
  add column held_by text,
  add column held_from timestamptz,
  add column held_ms bigint not null default 0,
  add constraint held_by_somebody check ((held_at is null) = (held_by is null)),
  add constraint held_while_paused check (held_from is null or held_at is not null);

-- Who listens is told of changes by `changed_at`; `change` tells one from another.
alter table spool.loops
  add column change bigint not null default 0,
  add column changed_at timestamptz not null default clock_timestamp(),
  -- Its passes and events were kept long enough, and are gone.
  add column pruned_at timestamptz;
create index loops_changed on spool.loops (org, changed_at);
create index loops_unpruned on spool.loops (ended_at) where state = 'ended' and pruned_at is null;

create function spool.tell_loop() returns trigger language plpgsql as $$
begin
  new.change := old.change + 1;
  new.changed_at := clock_timestamp();
  return new;
end $$;

-- Heartbeats and leases are no news.
create trigger loop_changed before update on spool.loops for each row
  when ((new.state, new.ending, new.reason, new.held_at, new.cancelled_at, new.started_at, new.branch, new.bundle,
      new.event_seq, new.change)
    is distinct from (old.state, old.ending, old.reason, old.held_at, old.cancelled_at, old.started_at, old.branch,
      old.bundle, old.event_seq, old.change))
  execute function spool.tell_loop();

create function spool.tell_of_pass() returns trigger language plpgsql as $$
begin
  update spool.loops set change = change + 1 where id = new."loop"; -- Quoted: LOOP is a word of plpgsql.
  return null;
end $$;

create trigger pass_made after insert on spool.passes for each row execute function spool.tell_of_pass();
create trigger pass_changed after update on spool.passes for each row
  when ((new.phase, new.attempt, new.next) is distinct from (old.phase, old.attempt, old.next))
  execute function spool.tell_of_pass();
create trigger attempt_spent after update on spool.attempts for each row
  when ((new.input_tokens, new.cached_tokens, new.output_tokens, new.cost_nano_usd)
    is distinct from (old.input_tokens, old.cached_tokens, old.output_tokens, old.cost_nano_usd))
  execute function spool.tell_of_pass();

alter table spool.passes
  add column plan jsonb,
  add column agent_ms integer;

-- What commits changed, as gzipped JSON. Pass 0 is the whole loop, from its base to its newest commit.
create table spool.changes (
  loop      text not null references spool.loops,
  pass      integer not null check (pass >= 0),
  files     integer not null,
  additions bigint not null,
  deletions bigint not null,
  body      bytea not null,
  primary key (loop, pass)
);
alter table spool.changes alter column body set storage external;

-- Agents' terminals as gzipped asciicasts.
create table spool.recordings (
  loop text not null,
  pass integer not null,
  body bytea not null,
  primary key (loop, pass),
  foreign key (loop, pass) references spool.passes
);
alter table spool.recordings alter column body set storage external;
