-- until when a client that registered itself where anyone may is kept although nobody has signed in to it
alter table clients add column unused_until bigint;
create index clients_unused on clients (unused_until) where unused_until is not null;
create index clients_open on clients (id) where origin = 'registration' and not trusted;

-- how many clients there are that registered themselves and nobody vouches for: one row, so that one more asks for no other
create table open_clients (
  id bigint not null,
  number bigint not null,
  constraint open_clients_id primary key (id)
);
insert into open_clients (id, number)
select 1, count(*) from clients where origin = 'registration' and not trusted;

create index outbox_created on outbox (created_at);
