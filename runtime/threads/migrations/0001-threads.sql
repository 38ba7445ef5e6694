-- A session's conversation is a line of messages. A line that leaves another one half-way is a
-- thread of its own: it holds what differs, and reads its first `base_messages` from `base`.
create table threads.threads (
  id            text primary key,
  org           text not null,
  "user"        text not null,
  -- SHA-256 of what the proxy calls a session: any text may be in it, and nobody reads it back.
  session       text not null,
  loop          text,
  pass          integer,
  attempt       integer,
  model         text not null,
  is_rehearsal  boolean not null,
  title         text not null,
  -- All of the line, what it reads from its base included.
  messages      integer not null,
  base          text references threads.threads on delete cascade,
  base_messages integer not null,
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  check ((base is null) = (base_messages = 0))
);
create index threads_newest on threads.threads (org, created_at desc, id desc);
create index threads_of_loop on threads.threads (org, loop, created_at desc, id desc);
create index threads_of_session on threads.threads (session, updated_at);
create index threads_on_base on threads.threads (base);
create index threads_stale on threads.threads (updated_at);

create table threads.messages (
  thread    text not null references threads.threads on delete cascade,
  position  integer not null,
  role      text not null check (role in ('system', 'user', 'assistant', 'tool')),
  text      text not null,
  tool_id   text,
  tool_name text,
  at        timestamptz not null,
  -- Hash of the session and of all messages up to this one: equal only for the same line so far.
  chain     text not null unique,
  words     tsvector not null,
  primary key (thread, position)
);
create index messages_words on threads.messages using gin (words);

-- Which calls are stored, so that the same one twice changes nothing.
create table threads.turns (
  call   text primary key,
  thread text references threads.threads on delete cascade,
  at     timestamptz not null
);
create index turns_of_thread on threads.turns (thread);
create index turns_stale on threads.turns (at);
