create table clients (
  id blob not null,
  client_id text not null,
  client_name text not null,
  origin text not null,
  metadata text not null,
  policy text not null,
  registration_token blob,
  applied integer not null,
  disabled_at integer,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint clients_id primary key (id),
  constraint clients_client_id unique (client_id)
) strict;

create table client_secrets (
  id blob not null,
  client_id blob not null references clients (id) on delete cascade,
  digest blob not null,
  sealed blob,
  created_at integer not null,
  expires_at integer,
  constraint client_secrets_id primary key (id)
) strict;
create index client_secrets_client on client_secrets (client_id);

create table registration_tokens (
  id blob not null,
  digest blob not null,
  name text not null,
  uses_left integer,
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  constraint registration_tokens_id primary key (id),
  constraint registration_tokens_digest unique (digest)
) strict;

create table resources (
  id blob not null,
  identifier text not null,
  name text,
  scope text not null,
  access_token_format text,
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint resources_id primary key (id),
  constraint resources_identifier unique (identifier)
) strict;
