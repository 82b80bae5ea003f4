-- what an account is for, and of a server's the client that it has
alter table users add column kind text not null default 'default';
alter table users add column client_id uuid;
create unique index users_client on users (client_id) where client_id is not null;

-- what an account was before it was put into the bin, and when that was
alter table users add column status_before text;
alter table users add column binned_at bigint;
create index users_binned on users (id) where status = 'deleted';

-- since when it counts that nobody signs in, when to look next whether that is too long, and when its owner was told last
alter table users add column idle_from bigint;
alter table users add column idle_look_at bigint;
alter table users add column idle_told_at bigint;
create index users_idle on users (idle_look_at) where idle_look_at is not null;
update users
set idle_from = created_at, idle_look_at = created_at
where status = 'active';
