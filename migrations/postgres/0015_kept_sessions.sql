-- what brings back a session that the session store has lost; nothing of it where sessions are not kept here
alter table sessions add column token bytea;
alter table sessions add column idle bigint;
alter table sessions add column seen_at bigint;
alter table sessions add column data bytea;
-- in a later epoch it is not known whether the session has ended since
alter table sessions add column kept_epoch bigint;
create unique index sessions_token on sessions (token) where token is not null;
