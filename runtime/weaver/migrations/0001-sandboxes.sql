create table weaver.sandboxes (
  id           text primary key,
  -- starting -> warm -> ready -> ended; a cold one goes from starting to ready. Each may end at any time.
  state        text not null check (state in ('starting', 'warm', 'ready', 'ended')),
  -- Whom it serves: unknown until it is ready.
  org          text,
  user_id      text,
  purpose      text check (purpose in ('agent', 'gates')),
  loop         text,
  pass         integer,
  attempt      integer,
  was_warm     boolean not null default false,
  level        jsonb,
  -- What the next process of this role needs to find and end what this one left.
  pid          integer,
  -- The start in clock ticks since boot, from /proc/PID/stat: a pid alone may be somebody else's by now.
  pid_started  text,
  uid          bigint,
  cgroups      text[] not null default '{}',
  created_at   timestamptz not null,
  deadline     timestamptz not null,
  ended_at     timestamptz,
  end_reason   text,
  check (state <> 'ready' or (org is not null and user_id is not null and level is not null)),
  check ((state = 'ended') = (ended_at is not null))
);

create index sandboxes_live on weaver.sandboxes (deadline) where state <> 'ended';
create index sandboxes_newest on weaver.sandboxes (org, created_at desc, id desc);
