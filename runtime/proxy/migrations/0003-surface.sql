-- More kinds of providers. What a call is for stands beside its wire.
alter table proxy.providers drop constraint providers_kind_check;
alter table proxy.providers add constraint providers_kind_check
  check (kind in ('anthropic', 'openai', 'gemini', 'zai', 'openai-compatible'));
