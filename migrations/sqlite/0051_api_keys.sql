-- keys of scripts to the administration API: each acts as the person or client it was made for
create table api_keys (
  id blob not null,
  digest blob not null,
  -- what it begins with, to tell keys apart
  beginning text not null,
  name text not null,
  user_id blob references users (id) on delete cascade,
  client_id blob references clients (id) on delete cascade,
  scope text not null,
  made_by_kind text not null,
  made_by_id blob,
  created_at integer not null,
  expires_at integer not null,
  -- to the hour
  last_used_at integer,
  revoked_at integer,
  constraint api_keys_id primary key (id),
  constraint api_keys_digest unique (digest)
) strict;
create index api_keys_user on api_keys (user_id) where user_id is not null;
create index api_keys_client on api_keys (client_id) where client_id is not null;
create index api_keys_expires on api_keys (expires_at);
