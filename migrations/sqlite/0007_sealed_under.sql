create table master_keys (
  id text not null,
  state text not null,
  root blob not null,
  created_at integer not null,
  current_at integer,
  resealed_at integer,
  constraint master_keys_id primary key (id)
) strict;
