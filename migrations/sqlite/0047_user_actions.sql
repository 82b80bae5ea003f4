-- what administrators do with users beside what this server can: a signed call to an address of their own
create table user_actions (
  id blob not null,
  name text not null,
  label text not null,
  url text not null,
  sealed blob not null,
  disabled integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint user_actions_id primary key (id),
  constraint user_actions_name unique (name)
) strict;
