-- from when until when an account may be used
alter table users add column starts_at integer;
alter table users add column expires_at integer;
-- when everything of an account that has expired was ended
alter table users add column expired_at integer;
create index users_expires on users (expires_at) where expires_at is not null and expired_at is null;

-- when to look next whether its owner is to be reminded of the end, and when they were last
alter table users add column remind_at integer;
alter table users add column reminded_at integer;
create index users_remind on users (remind_at) where remind_at is not null;
