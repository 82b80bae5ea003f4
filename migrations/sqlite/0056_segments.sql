-- what was asked about people, under a name: for everybody who may see them, or for whoever saved it alone
create table segments (
  id blob not null,
  name text not null,
  name_key text not null,
  -- whose it is alone, as kind and id; empty: everybody's
  owner text not null,
  description text,
  -- words, filter, order, as JSON
  search text not null,
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint segments_id primary key (id),
  constraint segments_owner_name_key unique (owner, name_key)
) strict;
