-- work on many things that goes on after the answer: whose it is and with what rights, how far it is, and who is at it until when
create table jobs (
  id blob not null,
  state text not null,
  kind text not null,
  task text not null,
  actor_kind text not null,
  actor_id blob,
  rights text,
  position text,
  total integer,
  done integer not null,
  refused integer not null,
  reason text,
  lease blob,
  lease_until integer,
  created_at integer not null,
  started_at integer,
  ended_at integer,
  constraint jobs_id primary key (id)
) strict;
create index jobs_open on jobs (id) where state in ('waiting', 'running');
create index jobs_ended on jobs (ended_at) where ended_at is not null;

-- what became of each of them, written with it
create table job_items (
  job_id blob not null references jobs (id) on delete cascade,
  user_id blob not null,
  number integer not null,
  outcome text not null,
  code text,
  detail text,
  at integer not null,
  constraint job_items_job_user primary key (job_id, user_id)
) strict;
create index job_items_number on job_items (job_id, number);
create index job_items_refused on job_items (job_id, number) where outcome = 'refused';
