-- devices that nobody signed in with for longer than their cookie lasts are forgotten
create index devices_last on devices (last_at);

-- since when a password is not enough to sign in: it has to be replaced
alter table users add column password_expired_at bigint;

-- mails that told of a new device, by the digest of the link in them that says "this wasn't me"
create table device_alerts (
  digest bytea not null,
  user_id uuid not null references users (id) on delete cascade,
  device_id uuid not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  constraint device_alerts_digest primary key (digest)
);
create index device_alerts_user on device_alerts (user_id, created_at);
create index device_alerts_expires on device_alerts (expires_at);
