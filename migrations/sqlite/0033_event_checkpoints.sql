-- the audit log as it was found, one stretch after the other; each digest is made of the one before
create table event_checkpoints (
  number integer not null,
  last_event blob not null,
  last_at integer not null,
  events integer not null,
  digest blob not null,
  made_at integer not null,
  swept_at integer,
  constraint event_checkpoints_number primary key (number)
) strict;
create index event_checkpoints_last_at on event_checkpoints (last_at);
