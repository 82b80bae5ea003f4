create table clients (
  id uuid not null,
  client_id text not null,
  client_name text not null,
  origin text not null,
  metadata text not null,
  policy text not null,
  registration_token bytea,
  applied boolean not null,
  disabled_at bigint,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint clients_id primary key (id),
  constraint clients_client_id unique (client_id)
);

create table client_secrets (
  id uuid not null,
  client_id uuid not null references clients (id) on delete cascade,
  digest bytea not null,
  sealed bytea,
  created_at bigint not null,
  expires_at bigint,
  constraint client_secrets_id primary key (id)
);
create index client_secrets_client on client_secrets (client_id);

create table registration_tokens (
  id uuid not null,
  digest bytea not null,
  name text not null,
  uses_left bigint,
  created_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint,
  constraint registration_tokens_id primary key (id),
  constraint registration_tokens_digest unique (digest)
);

create table resources (
  id uuid not null,
  identifier text not null,
  name text,
  scope text not null,
  access_token_format text,
  applied boolean not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint resources_id primary key (id),
  constraint resources_identifier unique (identifier)
);
