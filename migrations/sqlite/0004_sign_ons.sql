create table sessions (
  id blob not null,
  user_id blob not null references users (id) on delete cascade,
  started_at integer not null,
  expires_at integer not null,
  address text,
  user_agent text,
  remember integer not null,
  ended_at integer,
  ended_because text,
  constraint sessions_id primary key (id)
) strict;
create index sessions_user on sessions (user_id, started_at);
create index sessions_expires on sessions (expires_at);

create table consents (
  user_id blob not null references users (id) on delete cascade,
  client_id blob not null references clients (id) on delete cascade,
  scope text not null,
  claims text not null,
  given_at integer not null,
  constraint consents_user_client primary key (user_id, client_id)
) strict;

create table grants (
  id blob not null,
  code blob not null,
  client_id blob not null references clients (id) on delete cascade,
  user_id blob not null references users (id) on delete cascade,
  session_id blob not null,
  terms text not null,
  offline integer not null,
  created_at integer not null,
  expires_at integer not null,
  ended_at integer,
  ended_because text,
  constraint grants_id primary key (id),
  constraint grants_code unique (code)
) strict;
create index grants_user on grants (user_id, client_id);
create index grants_session on grants (session_id);
create index grants_client on grants (client_id);
create index grants_expires on grants (expires_at);

create table refresh_tokens (
  digest blob not null,
  grant_id blob not null references grants (id) on delete cascade,
  nonce blob not null,
  issued_at integer not null,
  expires_at integer not null,
  spent_at integer,
  constraint refresh_tokens_digest primary key (digest)
) strict;
create index refresh_tokens_grant on refresh_tokens (grant_id);

create table access_tokens (
  digest blob not null,
  grant_id blob references grants (id) on delete cascade,
  client_id blob not null references clients (id) on delete cascade,
  scope text not null,
  audience text not null,
  issued_at integer not null,
  expires_at integer not null,
  constraint access_tokens_digest primary key (digest)
) strict;
create index access_tokens_grant on access_tokens (grant_id);
create index access_tokens_client on access_tokens (client_id);
create index access_tokens_expires on access_tokens (expires_at);

create table revoked_tokens (
  digest blob not null,
  expires_at integer not null,
  constraint revoked_tokens_digest primary key (digest)
) strict;
create index revoked_tokens_expires on revoked_tokens (expires_at);

create table signing_keys (
  id blob not null,
  kid text not null,
  algorithm text not null,
  state text not null,
  sealed blob not null,
  created_at integer not null,
  activated_at integer,
  retiring_at integer,
  retired_at integer,
  constraint signing_keys_id primary key (id),
  constraint signing_keys_kid unique (kid)
) strict;
