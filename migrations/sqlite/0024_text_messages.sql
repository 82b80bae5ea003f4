-- what is sent goes by mail or as a text message, each by a job of its own; a code is of no use after a while
alter table outbox add column channel text not null default 'mail';
alter table outbox add column ends_at integer;
create index outbox_next_of_channel on outbox (channel, next_at) where next_at is not null;
