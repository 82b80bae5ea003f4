-- several rows of a transaction have the same mark
create table ended (
  mark bigint not null default (pg_current_xact_id()::text)::bigint,
  kind text not null,
  subject bytea not null,
  at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);
create index ended_mark on ended (mark);
create index ended_at on ended (at);

create view ended_now as
select
  (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint as mark,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as at;

-- the families that go on: counted at every sign-on
create index grants_live on grants (user_id, client_id, id) where ended_at is null;
