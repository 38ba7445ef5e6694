-- What a call used beside plain tokens. Null = nothing of it, or booked by a version that did not know of it: lines of
-- the ledger that were written before are still shipped.
alter table proxy.calls
  add column if not exists team text,
  add column if not exists cache_write_1h_tokens bigint,
  add column if not exists reasoning_tokens bigint,
  add column if not exists server_tool_calls jsonb,
  add column if not exists service_tier text;
