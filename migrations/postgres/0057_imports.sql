-- files of users: what is to become of them, how far it is, and who is at it until when
create table imports (
  id uuid not null,
  state text not null,
  format text not null,
  options text not null,
  layout text,
  actor_kind text not null,
  actor_id uuid,
  rights text,
  parts bigint not null,
  bytes bigint not null,
  position bigint not null,
  row_number bigint not null,
  creating bigint not null,
  changing bigint not null,
  skipping bigint not null,
  refused bigint not null,
  done bigint not null,
  failed bigint not null,
  reason text,
  detail text,
  lease bytea,
  lease_until bigint,
  created_at bigint not null,
  shown boolean not null,
  visible_at bigint,
  ended_at bigint,
  constraint imports_id primary key (id)
);
create index imports_open on imports (id) where state in ('reading', 'making', 'showing', 'undoing');
create index imports_ended on imports (ended_at) where ended_at is not null;

-- the file, in the pieces in which it came, until it has been read
create table import_parts (
  import_id uuid not null references imports (id) on delete cascade,
  number bigint not null,
  size bigint not null,
  content bytea not null,
  constraint import_parts_number primary key (import_id, number)
);

-- its rows: what is to be made of each, what became of it, and what was there before
create table import_rows (
  import_id uuid not null references imports (id) on delete cascade,
  number bigint not null,
  plan text not null,
  outcome text not null,
  username text,
  username_key text,
  email_key text,
  user_id uuid,
  content text,
  former text,
  code text,
  detail text,
  constraint import_rows_number primary key (import_id, number)
);
create index import_rows_username on import_rows (import_id, username_key) where username_key is not null;
create index import_rows_email on import_rows (import_id, email_key) where email_key is not null;
create index import_rows_plan on import_rows (import_id, plan, number);
create index import_rows_outcome on import_rows (import_id, outcome, number);

-- whom an import has made: nobody sees them before it is visible
alter table users add column hidden_by uuid;
create index users_hidden on users (hidden_by) where hidden_by is not null;
