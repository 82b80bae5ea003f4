-- the audit log as it was found, one stretch after the other; each digest is made of the one before
create table event_checkpoints (
  number bigint not null,
  last_event uuid not null,
  last_at bigint not null,
  events bigint not null,
  digest bytea not null,
  made_at bigint not null,
  swept_at bigint,
  constraint event_checkpoints_number primary key (number)
);
create index event_checkpoints_last_at on event_checkpoints (last_at);
