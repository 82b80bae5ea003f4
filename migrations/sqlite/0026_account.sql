-- when an account is deleted whose owner wants that, and can take it back until then
alter table users add column deletion_at integer;
create index users_deletion on users (deletion_at) where deletion_at is not null;

-- the pictures that people have of themselves here, under a name that nobody guesses
create table pictures (
  user_id blob not null references users (id) on delete cascade,
  name text not null,
  media_type text not null,
  bytes blob not null,
  created_at integer not null,
  constraint pictures_user primary key (user_id),
  constraint pictures_name unique (name)
) strict;

-- what a person is told of their account: not every token of every application
create index events_told on events (user_id, id)
where kind not in ('authorization', 'code.redeemed', 'token.refreshed');
