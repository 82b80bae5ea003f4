-- a passkey is a factor of another kind: it has a public key and a counter where an authenticator has a secret and steps;
-- columns that were required of every factor are of some alone, and nothing refers to the table yet
drop index factors_user;
drop index factors_unconfirmed;
alter table factors rename to factors_before;
create table factors (
  id blob not null,
  user_id blob not null references users (id) on delete cascade,
  kind text not null,
  name text not null,
  sealed blob,
  algorithm text,
  digits integer,
  period integer,
  last_step integer,
  created_at integer not null,
  confirmed_at integer,
  used_at integer,
  credential_id blob,
  credential text,
  counter integer,
  constraint factors_id primary key (id),
  constraint factors_credential_id unique (credential_id)
) strict;
insert into factors (id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at)
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at
from factors_before;
drop table factors_before;
create index factors_user on factors (user_id, created_at);
create index factors_unconfirmed on factors (created_at) where confirmed_at is null;
