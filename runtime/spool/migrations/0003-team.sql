-- Whose budgets, policies and routes the calls of a loop count in as well: that of the API key that started it.
alter table spool.loops add column team text;
