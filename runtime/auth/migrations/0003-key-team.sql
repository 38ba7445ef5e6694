-- Whose budgets, policies and routes calls with a key count in, beside its user's.
alter table auth.keys add column team text check (length(team) <= 63);
