-- who may use an application where not everybody may: the members of a group, or one user
create table client_access (
  client_id uuid not null references clients (id) on delete cascade,
  group_id uuid references groups (id) on delete cascade,
  user_id uuid references users (id) on delete cascade,
  since bigint not null,
  constraint client_access_one check ((group_id is null) <> (user_id is null))
);
create unique index client_access_group on client_access (group_id, client_id) where group_id is not null;
create unique index client_access_user on client_access (user_id, client_id) where user_id is not null;
create index client_access_client on client_access (client_id);
