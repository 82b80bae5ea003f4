-- every link that is mailed or shown to be followed once, by the digest of its secret. What one is for stands beside it and never
-- changes: `setup`, `device_alert` ("this wasn't me"), `recovery` (a forgotten password)
create table action_links (
  digest blob not null,
  purpose text not null,
  user_id blob references users (id) on delete cascade,
  device_id blob,
  -- the mail address it was sent to, as it is compared: at another address of the person it leads nowhere
  email_key text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  constraint action_links_digest primary key (digest)
) strict;
create index action_links_user on action_links (user_id, purpose, created_at);
create index action_links_expires on action_links (expires_at);

insert into action_links (digest, purpose, created_at, expires_at, used_at)
select digest, 'setup', created_at, expires_at, used_at from setup_links;
insert into action_links (digest, purpose, user_id, device_id, created_at, expires_at, used_at)
select digest, 'device_alert', user_id, device_id, created_at, expires_at, used_at from device_alerts;

drop table setup_links;
drop table device_alerts;

-- the hashes of former passwords, so that none of them is taken again
create table password_history (
  user_id blob not null references users (id) on delete cascade,
  replaced_at integer not null,
  hash text not null,
  constraint password_history_user primary key (user_id, replaced_at)
) strict;

-- whether the password was set by somebody else than the person
alter table users add column password_initial integer not null default 0;
