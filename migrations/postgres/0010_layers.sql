create table user_settings (
  user_id uuid not null references users (id) on delete cascade,
  key text not null,
  value text not null,
  constraint user_settings_user_key primary key (user_id, key)
);

create table group_settings (
  group_id uuid not null references groups (id) on delete cascade,
  key text not null,
  value text not null,
  constraint group_settings_group_key primary key (group_id, key)
);

create table client_settings (
  client_id uuid not null references clients (id) on delete cascade,
  key text not null,
  value text not null,
  constraint client_settings_client_key primary key (client_id, key)
);

-- which applications a session serves
create table session_clients (
  session_id uuid not null references sessions (id) on delete cascade,
  client_id uuid not null references clients (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  since bigint not null,
  constraint session_clients_session_client primary key (session_id, client_id)
);
create index session_clients_client on session_clients (client_id, session_id);
create index session_clients_user on session_clients (user_id, client_id);

-- browsers and devices, by the cookie they carry
create table devices (
  id uuid not null,
  user_id uuid not null references users (id) on delete cascade,
  first_at bigint not null,
  last_at bigint not null,
  user_agent text,
  address text,
  place text,
  admitted boolean not null,
  blocked_at bigint,
  constraint devices_user_id primary key (user_id, id)
);
create index devices_user on devices (user_id, last_at);

alter table sessions add column device_id uuid;
alter table sessions add column place text;
create index sessions_address on sessions (address, started_at);

alter table installation add column sessions_since bigint not null default 0;
