create table sessions (
  id uuid not null,
  user_id uuid not null references users (id) on delete cascade,
  started_at bigint not null,
  expires_at bigint not null,
  address text,
  user_agent text,
  remember boolean not null,
  ended_at bigint,
  ended_because text,
  constraint sessions_id primary key (id)
);
create index sessions_user on sessions (user_id, started_at);
create index sessions_expires on sessions (expires_at);

create table consents (
  user_id uuid not null references users (id) on delete cascade,
  client_id uuid not null references clients (id) on delete cascade,
  scope text not null,
  claims text not null,
  given_at bigint not null,
  constraint consents_user_client primary key (user_id, client_id)
);

create table grants (
  id uuid not null,
  code bytea not null,
  client_id uuid not null references clients (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  session_id uuid not null,
  terms text not null,
  offline boolean not null,
  created_at bigint not null,
  expires_at bigint not null,
  ended_at bigint,
  ended_because text,
  constraint grants_id primary key (id),
  constraint grants_code unique (code)
);
create index grants_user on grants (user_id, client_id);
create index grants_session on grants (session_id);
create index grants_client on grants (client_id);
create index grants_expires on grants (expires_at);

create table refresh_tokens (
  digest bytea not null,
  grant_id uuid not null references grants (id) on delete cascade,
  nonce bytea not null,
  issued_at bigint not null,
  expires_at bigint not null,
  spent_at bigint,
  constraint refresh_tokens_digest primary key (digest)
);
create index refresh_tokens_grant on refresh_tokens (grant_id);

create table access_tokens (
  digest bytea not null,
  grant_id uuid references grants (id) on delete cascade,
  client_id uuid not null references clients (id) on delete cascade,
  scope text not null,
  audience text not null,
  issued_at bigint not null,
  expires_at bigint not null,
  constraint access_tokens_digest primary key (digest)
);
create index access_tokens_grant on access_tokens (grant_id);
create index access_tokens_client on access_tokens (client_id);
create index access_tokens_expires on access_tokens (expires_at);

create table revoked_tokens (
  digest bytea not null,
  expires_at bigint not null,
  constraint revoked_tokens_digest primary key (digest)
);
create index revoked_tokens_expires on revoked_tokens (expires_at);

create table signing_keys (
  id uuid not null,
  kid text not null,
  algorithm text not null,
  state text not null,
  sealed bytea not null,
  created_at bigint not null,
  activated_at bigint,
  retiring_at bigint,
  retired_at bigint,
  constraint signing_keys_id primary key (id),
  constraint signing_keys_kid unique (kid)
);
