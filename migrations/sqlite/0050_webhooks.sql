-- where others are told of events
create table webhooks (
  id blob not null,
  name text not null,
  description text,
  url text not null,
  -- kinds of events and their beginnings; none: whatever administrators do
  events text not null,
  enabled integer not null,
  -- why the server itself has disabled it
  disabled_because text,
  -- since when nothing has come through, how often in a row nobody was reached, and until when nobody is asked
  failing_since integer,
  failures integer not null,
  paused_until integer,
  -- since when so much waits that nothing more is put beside it
  full_since integer,
  applied integer not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  constraint webhooks_id primary key (id),
  constraint webhooks_name unique (name)
) strict;

create table webhook_secrets (
  id blob not null,
  webhook_id blob not null references webhooks (id) on delete cascade,
  sealed blob not null,
  created_at integer not null,
  expires_at integer,
  constraint webhook_secrets_id primary key (id)
) strict;
create index webhook_secrets_webhook on webhook_secrets (webhook_id);

-- one row for an event at a webhook; of a webhook that may be gone, so that no event fails for it
create table webhook_deliveries (
  webhook_id blob not null,
  event_id blob not null,
  kind text not null,
  queued_at integer not null,
  attempts integer not null,
  next_at integer,
  finished_at integer,
  outcome text not null,
  status integer,
  error text,
  constraint webhook_deliveries_webhook_event primary key (webhook_id, event_id)
) strict;
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where next_at is not null;
create index webhook_deliveries_queued on webhook_deliveries (queued_at);

insert into generations (kind, number) values ('webhook', 1);
