-- users written into a workbook: for whom, how far it is, and who is at it until when
create table exports (
  id uuid not null,
  state text not null,
  task text not null,
  actor_kind text not null,
  actor_id uuid,
  rights text,
  rows_written bigint not null,
  bytes bigint not null,
  reason text,
  lease bytea,
  lease_until bigint,
  created_at bigint not null,
  ended_at bigint,
  constraint exports_id primary key (id)
);
create index exports_open on exports (id) where state in ('waiting', 'running');
create index exports_ended on exports (ended_at) where ended_at is not null;

-- the workbook, in pieces, for a day
create table export_parts (
  export_id uuid not null references exports (id) on delete cascade,
  number bigint not null,
  content bytea not null,
  constraint export_parts_number primary key (export_id, number)
);
