-- what an administrator has defined that is told about people; the values stand in each person's profile, by name
create table properties (
  id uuid not null,
  name text not null,
  -- type, labels, validators, rights, claim, as JSON
  definition text not null,
  -- ready, or what is being done with every person one batch after the other
  state text not null,
  -- how far that has come
  swept_to uuid,
  -- how many values it found that another has, where there may be one of each
  doubles bigint not null,
  applied boolean not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint properties_id primary key (id),
  constraint properties_name unique (name)
);

-- values by which people are found, and those that nobody else may have
create table user_properties (
  user_id uuid not null references users (id) on delete cascade,
  property_id uuid not null references properties (id) on delete cascade,
  key text collate "C" not null,
  unique_key text collate "C",
  constraint user_properties_all primary key (property_id, key, user_id)
);
create unique index user_properties_property_id_unique_key on user_properties (property_id, unique_key);
create index user_properties_user on user_properties (user_id, property_id);

insert into generations (kind, number) values ('property', 1);
