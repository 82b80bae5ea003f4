-- what brings back a session that the session store has lost; nothing of it where sessions are not kept here
alter table sessions add column token blob;
alter table sessions add column idle integer;
alter table sessions add column seen_at integer;
alter table sessions add column data blob;
-- in a later epoch it is not known whether the session has ended since
alter table sessions add column kept_epoch integer;
create unique index sessions_token on sessions (token) where token is not null;
