-- Credentials of model providers. A row never changes: a new credential is a new row.
create table proxy.providers (
  id            uuid primary key default gen_random_uuid(),
  org           text not null,
  name          text not null,
  kind          text not null check (kind in ('anthropic', 'openai')),
  base_url      text not null,
  allow_private boolean not null,
  models        text[] not null,
  wrapped_key   bytea not null,
  ciphertext    bytea not null,
  created_by    text not null,
  created_at    timestamptz not null,
  unique (org, name)
);

-- Every model call, as the ledger file tells it. `text` is the end of the assistant's words.
create table proxy.calls (
  id                 text primary key,
  org                text not null,
  "user"             text not null,
  loop               text,
  pass               int,
  attempt            int,
  sandbox            text,
  key                text,
  provider           text,
  model              text not null,
  wire               text not null check (wire in ('messages', 'chat', 'responses')),
  is_rehearsal       boolean not null,
  state              text not null check (state in ('begun', 'settled', 'estimated', 'denied')),
  status             int,
  input_tokens       bigint not null default 0,
  cached_tokens      bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  output_tokens      bigint not null default 0,
  cost_nano_usd      bigint not null default 0,
  is_priced          boolean not null default false,
  stop_reason        text,
  tool_calls         int not null default 0,
  began_at           timestamptz not null,
  ended_at           timestamptz,
  first_byte_ms      int,
  error              text,
  code               text,
  text               text not null default '',
  retry_after_s      int
);

create index calls_sandbox on proxy.calls (sandbox, began_at desc) where sandbox is not null;
create index calls_loop on proxy.calls (loop) where loop is not null;
create index calls_org on proxy.calls (org, began_at desc);
create index calls_provider on proxy.calls (org, provider, began_at desc) where provider is not null;

-- How far each ledger file is in the table above. It moves in the transaction that moves the calls.
create table proxy.shipped (
  journal     text primary key,
  segment     bigint not null,
  byte_offset bigint not null
);
