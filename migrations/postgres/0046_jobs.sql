-- work on many things that goes on after the answer: whose it is and with what rights, how far it is, and who is at it until when
create table jobs (
  id uuid not null,
  state text not null,
  kind text not null,
  task text not null,
  actor_kind text not null,
  actor_id uuid,
  rights text,
  position text,
  total bigint,
  done bigint not null,
  refused bigint not null,
  reason text,
  lease bytea,
  lease_until bigint,
  created_at bigint not null,
  started_at bigint,
  ended_at bigint,
  constraint jobs_id primary key (id)
);
create index jobs_open on jobs (id) where state in ('waiting', 'running');
create index jobs_ended on jobs (ended_at) where ended_at is not null;

-- what became of each of them, written with it
create table job_items (
  job_id uuid not null references jobs (id) on delete cascade,
  user_id uuid not null,
  number bigint not null,
  outcome text not null,
  code text,
  detail text,
  at bigint not null,
  constraint job_items_job_user primary key (job_id, user_id)
);
create index job_items_number on job_items (job_id, number);
create index job_items_refused on job_items (job_id, number) where outcome = 'refused';
