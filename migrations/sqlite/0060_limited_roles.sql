-- roles that count over something alone: over who is in a group, and in those that stand in it, or over one API
create table limited_roles (
  user_id blob references users (id) on delete cascade,
  group_id blob references groups (id) on delete cascade,
  role_id blob not null references roles (id) on delete cascade,
  over_group_id blob references groups (id) on delete cascade,
  over_resource_id blob references resources (id) on delete cascade,
  since integer not null,
  constraint limited_roles_one_holder check ((user_id is null) <> (group_id is null)),
  constraint limited_roles_one_place check ((over_group_id is null) <> (over_resource_id is null))
) strict;
create unique index limited_roles_user_group on limited_roles (user_id, role_id, over_group_id) where user_id is not null and over_group_id is not null;
create unique index limited_roles_user_resource on limited_roles (user_id, role_id, over_resource_id) where user_id is not null and over_resource_id is not null;
create unique index limited_roles_group_group on limited_roles (group_id, role_id, over_group_id) where group_id is not null and over_group_id is not null;
create unique index limited_roles_group_resource on limited_roles (group_id, role_id, over_resource_id) where group_id is not null and over_resource_id is not null;
create index limited_roles_role on limited_roles (role_id);
create index limited_roles_over_group on limited_roles (over_group_id);
create index limited_roles_over_resource on limited_roles (over_resource_id);

-- who looks after the members of a group
create table group_owners (
  group_id blob not null references groups (id) on delete cascade,
  user_id blob not null references users (id) on delete cascade,
  since integer not null,
  constraint group_owners_group_user primary key (group_id, user_id)
) strict;
create index group_owners_user on group_owners (user_id, group_id);

-- jobs by whoever has begun them
create index jobs_actor on jobs (actor_id, id) where actor_id is not null;
