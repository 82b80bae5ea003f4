create table user_settings (
  user_id blob not null references users (id) on delete cascade,
  key text not null,
  value text not null,
  constraint user_settings_user_key primary key (user_id, key)
) strict;

create table group_settings (
  group_id blob not null references groups (id) on delete cascade,
  key text not null,
  value text not null,
  constraint group_settings_group_key primary key (group_id, key)
) strict;

create table client_settings (
  client_id blob not null references clients (id) on delete cascade,
  key text not null,
  value text not null,
  constraint client_settings_client_key primary key (client_id, key)
) strict;

-- which applications a session serves
create table session_clients (
  session_id blob not null references sessions (id) on delete cascade,
  client_id blob not null references clients (id) on delete cascade,
  user_id blob not null references users (id) on delete cascade,
  since integer not null,
  constraint session_clients_session_client primary key (session_id, client_id)
) strict;
create index session_clients_client on session_clients (client_id, session_id);
create index session_clients_user on session_clients (user_id, client_id);

-- browsers and devices, by the cookie they carry
create table devices (
  id blob not null,
  user_id blob not null references users (id) on delete cascade,
  first_at integer not null,
  last_at integer not null,
  user_agent text,
  address text,
  place text,
  admitted integer not null,
  blocked_at integer,
  constraint devices_user_id primary key (user_id, id)
) strict;
create index devices_user on devices (user_id, last_at);

alter table sessions add column device_id blob;
alter table sessions add column place text;
create index sessions_address on sessions (address, started_at);

alter table installation add column sessions_since integer not null default 0;
