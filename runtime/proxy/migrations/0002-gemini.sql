-- The Gemini wire, and the providers that speak it.
alter table proxy.providers drop constraint providers_kind_check;
alter table proxy.providers add constraint providers_kind_check
  check (kind in ('anthropic', 'openai', 'gemini'));

alter table proxy.calls drop constraint calls_wire_check;
alter table proxy.calls add constraint calls_wire_check
  check (wire in ('messages', 'chat', 'responses', 'gemini'));

-- Calls are read by page, the newest first: of a loop, or of an organisation.
drop index proxy.calls_loop;
create index calls_loop on proxy.calls (loop, began_at desc, id desc) where loop is not null;
drop index proxy.calls_org;
create index calls_org on proxy.calls (org, began_at desc, id desc);
