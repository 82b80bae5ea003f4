create table generations (
  kind text not null,
  number bigint not null,
  constraint generations_kind primary key (kind)
);
insert into generations (kind, number) values ('client', 1), ('key', 1), ('setting', 1), ('resource', 1);

create table settings (
  key text not null,
  value text not null,
  constraint settings_key primary key (key)
);

create table setting_revisions (
  number bigint not null,
  at bigint not null,
  actor_kind text not null,
  actor_id uuid,
  source text not null,
  before text not null,
  after text not null,
  constraint setting_revisions_number primary key (number)
);

create table events (
  id uuid not null,
  at bigint not null,
  kind text not null,
  outcome text not null,
  reason text,
  actor_kind text not null,
  actor_id uuid,
  user_id uuid,
  client_id uuid,
  address text,
  trace text not null,
  facts text not null,
  constraint events_id primary key (id)
);
create index events_user_at on events (user_id, at);
create index events_trace on events (trace);

create table outbox (
  id uuid not null,
  kind text not null,
  recipient text not null,
  locale text not null,
  sealed bytea not null,
  created_at bigint not null,
  next_at bigint,
  attempts bigint not null,
  sent_at bigint,
  error text,
  constraint outbox_id primary key (id)
);
create index outbox_next on outbox (next_at) where next_at is not null;

create table proofs (
  kind text not null,
  digest bytea not null,
  expires_at bigint not null,
  constraint proofs_kind_digest primary key (kind, digest)
);
create index proofs_expires on proofs (expires_at);

create table idempotency_keys (
  caller text not null,
  key_digest bytea not null,
  body_digest bytea not null,
  sealed_answer bytea,
  created_at bigint not null,
  constraint idempotency_keys_caller_key primary key (caller, key_digest)
);
create index idempotency_keys_created on idempotency_keys (created_at);

create table setup_links (
  digest bytea not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  constraint setup_links_digest primary key (digest)
);
