-- declared permissions: what they are for, and the API they belong to, if to one
create table permissions (
  id blob not null,
  name text not null,
  description text,
  resource_id blob references resources (id),
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint permissions_id primary key (id),
  constraint permissions_name unique (name)
) strict;
create index permissions_resource on permissions (resource_id);

-- named sets of permissions
create table roles (
  id blob not null,
  name text not null,
  name_key text not null,
  description text,
  resource_id blob references resources (id),
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint roles_id primary key (id),
  constraint roles_name_key unique (name_key)
) strict;
create index roles_resource on roles (resource_id);

create table role_permissions (
  role_id blob not null references roles (id) on delete cascade,
  permission text not null,
  constraint role_permissions_role_permission primary key (role_id, permission)
) strict;
create index role_permissions_permission on role_permissions (permission, role_id);

create table group_roles (
  group_id blob not null references groups (id) on delete cascade,
  role_id blob not null references roles (id) on delete cascade,
  since integer not null,
  constraint group_roles_group_role primary key (group_id, role_id)
) strict;
create index group_roles_role on group_roles (role_id, group_id);

create table user_roles (
  user_id blob not null references users (id) on delete cascade,
  role_id blob not null references roles (id) on delete cascade,
  since integer not null,
  constraint user_roles_user_role primary key (user_id, role_id)
) strict;
create index user_roles_role on user_roles (role_id, user_id);
create index group_permissions_permission on group_permissions (permission, group_id);
