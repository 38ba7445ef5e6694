-- What routes and connections go by, beside the credential.
alter table proxy.providers
  add column calls_max  int check (calls_max > 0),
  add column region     text,
  add column retention  text[] not null default '{}',
  add column proxy_url  text,
  add column ca         text,
  add column expires_at timestamptz;

-- Where calls go. `definition` is as the API takes it, and is checked again when it is read.
create table proxy.routes (
  org        text not null,
  name       text not null,
  definition jsonb not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (org, name)
);

-- What calls may be made. `subject`: org, sandboxes, or key:<id>.
create table proxy.policies (
  org        text not null,
  subject    text not null,
  definition jsonb not null,
  updated_by text not null,
  updated_at timestamptz not null,
  primary key (org, subject)
);

-- Moves in the transaction that changes one of the two tables above, so that a look at one row tells whether there is news.
create table proxy.rules_version (
  is_only boolean primary key default true check (is_only),
  version bigint not null
);
insert into proxy.rules_version (version) values (0);

-- Whose a response is that is stored at its vendor, and where.
create table proxy.stored_responses (
  id         text not null,
  org        text not null,
  provider   text not null,
  created_at timestamptz not null,
  primary key (org, id)
);
create index stored_responses_age on proxy.stored_responses (created_at);
