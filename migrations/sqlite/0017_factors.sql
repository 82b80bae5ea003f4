-- what somebody proves themselves with besides a password; it counts once it is confirmed
create table factors (
  id blob not null,
  user_id blob not null references users (id) on delete cascade,
  kind text not null,
  name text not null,
  sealed blob not null,
  algorithm text not null,
  digits integer not null,
  period integer not null,
  last_step integer not null,
  created_at integer not null,
  confirmed_at integer,
  used_at integer,
  constraint factors_id primary key (id)
) strict;
create index factors_user on factors (user_id, created_at);
create index factors_unconfirmed on factors (created_at) where confirmed_at is null;

create table recovery_codes (
  user_id blob not null references users (id) on delete cascade,
  digest blob not null,
  created_at integer not null,
  spent_at integer,
  constraint recovery_codes_user_digest primary key (user_id, digest)
) strict;
