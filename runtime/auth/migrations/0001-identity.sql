create table auth.organisations (
  id         text primary key,
  created_at timestamptz not null default now()
);

create table auth.users (
  id         text primary key,
  created_at timestamptz not null default now()
);

create table auth.memberships (
  org     text not null references auth.organisations,
  user_id text not null references auth.users,
  role    text not null check (role in ('owner', 'member')),
  primary key (org, user_id)
);

-- Of links, sessions and keys the hash alone is kept: who reads this database can't come in with it.

create table auth.login_links (
  code_hash  text primary key,
  org        text not null,
  user_id    text not null,
  expires_at timestamptz not null,
  used_at    timestamptz,
  foreign key (org, user_id) references auth.memberships on delete cascade
);
create index login_links_end on auth.login_links (expires_at);

create table auth.sessions (
  token_hash   text primary key,
  org          text not null,
  user_id      text not null,
  created_at   timestamptz not null default now(),
  last_used_at timestamptz not null,
  expires_at   timestamptz not null,
  foreign key (org, user_id) references auth.memberships on delete cascade
);
create index sessions_end on auth.sessions (expires_at);

create table auth.keys (
  id           text primary key,
  org          text not null,
  user_id      text not null,
  name         text not null,
  hash         text not null unique,
  created_at   timestamptz not null,
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  foreign key (org, user_id) references auth.memberships on delete cascade
);
create index keys_of_org on auth.keys (org, created_at desc);

create table auth.access_log (
  id         bigint generated always as identity primary key,
  at         timestamptz not null default now(),
  event      text not null,
  org        text,
  user_id    text,
  channel    text,
  subject    text,
  address    text,
  request_id text,
  detail     text
);

create function auth.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'auth.access_log only grows';
end
$$;

create trigger access_log_only_grows
  before update or delete or truncate on auth.access_log
  for each statement execute function auth.refuse_change();
