-- terms of use: a version is published once and does not change; the latest in force of a name counts
create table terms (
  id uuid not null,
  name text not null,
  version text not null,
  effective_at bigint not null,
  -- of whom it is required: ids of groups as JSON, none for everyone
  required_of text not null,
  -- a title and a text or an address for each language, as JSON
  texts text not null,
  created_at bigint not null,
  withdrawn_at bigint,
  constraint terms_id primary key (id)
);
create unique index terms_name_version on terms (name, version);

-- who has accepted what, and when
create table terms_acceptances (
  user_id uuid not null references users (id) on delete cascade,
  terms_id uuid not null references terms (id) on delete cascade,
  accepted_at bigint not null,
  locale text not null,
  occasion text not null,
  constraint terms_acceptances_all primary key (user_id, terms_id, accepted_at)
);
create index terms_acceptances_terms on terms_acceptances (terms_id);
