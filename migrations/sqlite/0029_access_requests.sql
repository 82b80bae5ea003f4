-- who has asked for an account where an administrator decides; the address was confirmed
create table access_requests (
  id blob not null,
  email text not null,
  email_key text not null,
  name text,
  reason text,
  locale text not null,
  status text not null,
  created_at integer not null,
  decided_at integer,
  constraint access_requests_id primary key (id)
) strict;
create unique index access_requests_waiting on access_requests (email_key) where status = 'waiting';
create index access_requests_status on access_requests (status, id);
create index access_requests_age on access_requests (created_at);
