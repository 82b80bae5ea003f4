-- what was asked about people, under a name: for everybody who may see them, or for whoever saved it alone
create table segments (
  id uuid not null,
  name text not null,
  name_key text not null,
  -- whose it is alone, as kind and id; empty: everybody's
  owner text not null,
  description text,
  -- words, filter, order, as JSON
  search text not null,
  applied boolean not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint segments_id primary key (id),
  constraint segments_owner_name_key unique (owner, name_key)
);
