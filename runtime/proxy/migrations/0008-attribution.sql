-- What a caller said a call is for. Null on most calls, which so cost nothing for it.
alter table proxy.calls
  add column if not exists tags jsonb,
  add column if not exists end_user text;
create index if not exists calls_end_user on proxy.calls (org, end_user, began_at desc, id desc)
  where end_user is not null;
create index if not exists calls_tags on proxy.calls using gin (tags jsonb_path_ops)
  where tags is not null;
