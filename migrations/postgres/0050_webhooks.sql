-- where others are told of events
create table webhooks (
  id uuid not null,
  name text not null,
  description text,
  url text not null,
  -- kinds of events and their beginnings; none: whatever administrators do
  events text not null,
  enabled boolean not null,
  -- why the server itself has disabled it
  disabled_because text,
  -- since when nothing has come through, how often in a row nobody was reached, and until when nobody is asked
  failing_since bigint,
  failures bigint not null,
  paused_until bigint,
  -- since when so much waits that nothing more is put beside it
  full_since bigint,
  applied boolean not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  constraint webhooks_id primary key (id),
  constraint webhooks_name unique (name)
);

create table webhook_secrets (
  id uuid not null,
  webhook_id uuid not null references webhooks (id) on delete cascade,
  sealed bytea not null,
  created_at bigint not null,
  expires_at bigint,
  constraint webhook_secrets_id primary key (id)
);
create index webhook_secrets_webhook on webhook_secrets (webhook_id);

-- one row for an event at a webhook; of a webhook that may be gone, so that no event fails for it
create table webhook_deliveries (
  webhook_id uuid not null,
  event_id uuid not null,
  kind text not null,
  queued_at bigint not null,
  attempts bigint not null,
  next_at bigint,
  finished_at bigint,
  outcome text not null,
  status bigint,
  error text,
  constraint webhook_deliveries_webhook_event primary key (webhook_id, event_id)
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where next_at is not null;
create index webhook_deliveries_queued on webhook_deliveries (queued_at);

insert into generations (kind, number) values ('webhook', 1);
