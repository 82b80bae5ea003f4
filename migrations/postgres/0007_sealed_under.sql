create table master_keys (
  id text not null,
  state text not null,
  root bytea not null,
  created_at bigint not null,
  current_at bigint,
  resealed_at bigint,
  constraint master_keys_id primary key (id)
);
