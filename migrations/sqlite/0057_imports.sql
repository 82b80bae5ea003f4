-- files of users: what is to become of them, how far it is, and who is at it until when
create table imports (
  id blob not null,
  state text not null,
  format text not null,
  options text not null,
  layout text,
  actor_kind text not null,
  actor_id blob,
  rights text,
  parts integer not null,
  bytes integer not null,
  position integer not null,
  row_number integer not null,
  creating integer not null,
  changing integer not null,
  skipping integer not null,
  refused integer not null,
  done integer not null,
  failed integer not null,
  reason text,
  detail text,
  lease blob,
  lease_until integer,
  created_at integer not null,
  shown integer not null,
  visible_at integer,
  ended_at integer,
  constraint imports_id primary key (id)
) strict;
create index imports_open on imports (id) where state in ('reading', 'making', 'showing', 'undoing');
create index imports_ended on imports (ended_at) where ended_at is not null;

-- the file, in the pieces in which it came, until it has been read
create table import_parts (
  import_id blob not null references imports (id) on delete cascade,
  number integer not null,
  size integer not null,
  content blob not null,
  constraint import_parts_number primary key (import_id, number)
) strict;

-- its rows: what is to be made of each, what became of it, and what was there before
create table import_rows (
  import_id blob not null references imports (id) on delete cascade,
  number integer not null,
  plan text not null,
  outcome text not null,
  username text,
  username_key text,
  email_key text,
  user_id blob,
  content text,
  former text,
  code text,
  detail text,
  constraint import_rows_number primary key (import_id, number)
) strict;
create index import_rows_username on import_rows (import_id, username_key) where username_key is not null;
create index import_rows_email on import_rows (import_id, email_key) where email_key is not null;
create index import_rows_plan on import_rows (import_id, plan, number);
create index import_rows_outcome on import_rows (import_id, outcome, number);

-- whom an import has made: nobody sees them before it is visible
alter table users add column hidden_by blob;
create index users_hidden on users (hidden_by) where hidden_by is not null;
