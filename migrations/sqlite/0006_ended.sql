create table ended (
  mark integer primary key autoincrement,
  kind text not null,
  subject blob not null,
  at integer not null default (cast(unixepoch('subsec') * 1000000 as integer))
) strict;
create index ended_at on ended (at);

create view ended_now as
select
  coalesce((select seq from sqlite_sequence where name = 'ended'), 0) + 1 as mark,
  cast(unixepoch('subsec') * 1000000 as integer) as at;

-- the families that go on: counted at every sign-on
create index grants_live on grants (user_id, client_id, id) where ended_at is null;
