-- where a client is told of the end of sessions: what its metadata says, where queries find it
alter table clients add column backchannel_logout_uri text;

-- applications that have to be told, or were: one row for a session at an application
create table logouts (
  session_id blob not null,
  client_id blob not null references clients (id) on delete cascade,
  -- of the person, until the application was told
  subject text,
  created_at integer not null,
  attempts integer not null,
  next_at integer,
  finished_at integer,
  outcome text not null,
  error text,
  constraint logouts_session_client primary key (session_id, client_id)
) strict;
create index logouts_due on logouts (next_at) where next_at is not null;
create index logouts_client on logouts (client_id, created_at, session_id);
create index logouts_created on logouts (created_at);

-- when to look whether a session has ended by itself
alter table sessions add column look_at integer not null default 0;
create index sessions_look on sessions (look_at) where ended_at is null;
create index sessions_going on sessions (started_at) where ended_at is null;
