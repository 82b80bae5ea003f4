create table generations (
  kind text not null,
  number integer not null,
  constraint generations_kind primary key (kind)
) strict;
insert into generations (kind, number) values ('client', 1), ('key', 1), ('setting', 1), ('resource', 1);

create table settings (
  key text not null,
  value text not null,
  constraint settings_key primary key (key)
) strict;

create table setting_revisions (
  number integer not null,
  at integer not null,
  actor_kind text not null,
  actor_id blob,
  source text not null,
  before text not null,
  after text not null,
  constraint setting_revisions_number primary key (number)
) strict;

create table events (
  id blob not null,
  at integer not null,
  kind text not null,
  outcome text not null,
  reason text,
  actor_kind text not null,
  actor_id blob,
  user_id blob,
  client_id blob,
  address text,
  trace text not null,
  facts text not null,
  constraint events_id primary key (id)
) strict;
create index events_user_at on events (user_id, at);
create index events_trace on events (trace);

create table outbox (
  id blob not null,
  kind text not null,
  recipient text not null,
  locale text not null,
  sealed blob not null,
  created_at integer not null,
  next_at integer,
  attempts integer not null,
  sent_at integer,
  error text,
  constraint outbox_id primary key (id)
) strict;
create index outbox_next on outbox (next_at) where next_at is not null;

create table proofs (
  kind text not null,
  digest blob not null,
  expires_at integer not null,
  constraint proofs_kind_digest primary key (kind, digest)
) strict;
create index proofs_expires on proofs (expires_at);

create table idempotency_keys (
  caller text not null,
  key_digest blob not null,
  body_digest blob not null,
  sealed_answer blob,
  created_at integer not null,
  constraint idempotency_keys_caller_key primary key (caller, key_digest)
) strict;
create index idempotency_keys_created on idempotency_keys (created_at);

create table setup_links (
  digest blob not null,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  constraint setup_links_digest primary key (digest)
) strict;
