create table users (
  id blob not null,
  subject text not null,
  username text not null,
  username_key text not null,
  email_key text,
  status text not null,
  profile text not null,
  password_hash text,
  password_changed_at integer,
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint users_id primary key (id),
  constraint users_subject unique (subject),
  constraint users_username_key unique (username_key),
  constraint users_email_key unique (email_key)
) strict;
create index users_created on users (created_at, id);

create table departed_subjects (
  digest blob not null,
  departed_at integer not null,
  constraint departed_subjects_digest primary key (digest)
) strict;

create table groups (
  id blob not null,
  name text not null,
  name_key text not null,
  external_id text,
  description text,
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint groups_id primary key (id),
  constraint groups_name_key unique (name_key),
  constraint groups_external_id unique (external_id)
) strict;

create table group_permissions (
  group_id blob not null references groups (id) on delete cascade,
  permission text not null,
  constraint group_permissions_group_permission primary key (group_id, permission)
) strict;

create table group_members (
  user_id blob not null references users (id) on delete cascade,
  group_id blob not null references groups (id) on delete cascade,
  is_primary integer not null,
  since integer not null,
  constraint group_members_user_group primary key (user_id, group_id)
) strict;
create index group_members_group on group_members (group_id, user_id);
create unique index group_members_one_primary on group_members (user_id) where is_primary = 1;
