-- When a call went through which hands, in milliseconds from its beginning; `intake_ms` is what came before that.
alter table proxy.calls add column intake_ms int;
alter table proxy.calls add column sent_ms int;
alter table proxy.calls add column last_byte_ms int;
