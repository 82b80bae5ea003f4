-- what administrators do with users beside what this server can: a signed call to an address of their own
create table user_actions (
  id uuid not null,
  name text not null,
  label text not null,
  url text not null,
  sealed bytea not null,
  disabled boolean not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint user_actions_id primary key (id),
  constraint user_actions_name unique (name)
);
