-- the log of mails is asked by address, and for those that have not arrived
create index outbox_recipient on outbox (recipient, id);
create index outbox_unsent on outbox (id) where sent_at is null;

-- when the person was told that the password which they have has to be replaced soon
alter table users add column password_warned_at bigint;
create index users_password_changed on users (password_changed_at, id) where password_changed_at is not null;
