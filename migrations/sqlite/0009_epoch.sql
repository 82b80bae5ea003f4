create table installation (
  id integer not null primary key,
  epoch integer not null,
  lineage text
) strict;
insert into installation (id, epoch) values (1, 1);
