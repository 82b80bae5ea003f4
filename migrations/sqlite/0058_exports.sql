-- users written into a workbook: for whom, how far it is, and who is at it until when
create table exports (
  id blob not null,
  state text not null,
  task text not null,
  actor_kind text not null,
  actor_id blob,
  rights text,
  rows_written integer not null,
  bytes integer not null,
  reason text,
  lease blob,
  lease_until integer,
  created_at integer not null,
  ended_at integer,
  constraint exports_id primary key (id)
) strict;
create index exports_open on exports (id) where state in ('waiting', 'running');
create index exports_ended on exports (ended_at) where ended_at is not null;

-- the workbook, in pieces, for a day
create table export_parts (
  export_id blob not null references exports (id) on delete cascade,
  number integer not null,
  content blob not null,
  constraint export_parts_number primary key (export_id, number)
) strict;
