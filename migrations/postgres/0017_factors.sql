-- what somebody proves themselves with besides a password; it counts once it is confirmed
create table factors (
  id uuid not null,
  user_id uuid not null references users (id) on delete cascade,
  kind text not null,
  name text not null,
  sealed bytea not null,
  algorithm text not null,
  digits bigint not null,
  period bigint not null,
  last_step bigint not null,
  created_at bigint not null,
  confirmed_at bigint,
  used_at bigint,
  constraint factors_id primary key (id)
);
create index factors_user on factors (user_id, created_at);
create index factors_unconfirmed on factors (created_at) where confirmed_at is null;

create table recovery_codes (
  user_id uuid not null references users (id) on delete cascade,
  digest bytea not null,
  created_at bigint not null,
  spent_at bigint,
  constraint recovery_codes_user_digest primary key (user_id, digest)
);
