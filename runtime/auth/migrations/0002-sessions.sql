-- Shown where a person chooses an organisation; without one, the id.
alter table auth.organisations add column name text check (length(name) <= 100);

-- Made by whoever can read the owner's file on this machine.
alter table auth.login_links add column is_local_owner boolean not null default false;

alter table auth.sessions
  -- Names a session in public; the cookie's hash never leaves this table.
  add column id             text not null unique default gen_random_uuid()::text,
  add column is_local_owner boolean not null default false,
  add column address        text check (length(address) <= 100),
  add column browser        text check (length(browser) <= 100);
create index sessions_of_user on auth.sessions (user_id, last_used_at desc);
