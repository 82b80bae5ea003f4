create table installation (
  id bigint not null,
  epoch bigint not null,
  lineage text,
  constraint installation_id primary key (id)
);
insert into installation (id, epoch) values (1, 1);
