-- terms of use: a version is published once and does not change; the latest in force of a name counts
create table terms (
  id blob not null,
  name text not null,
  version text not null,
  effective_at integer not null,
  -- of whom it is required: ids of groups as JSON, none for everyone
  required_of text not null,
  -- a title and a text or an address for each language, as JSON
  texts text not null,
  created_at integer not null,
  withdrawn_at integer,
  constraint terms_id primary key (id)
) strict;
create unique index terms_name_version on terms (name, version);

-- who has accepted what, and when
create table terms_acceptances (
  user_id blob not null references users (id) on delete cascade,
  terms_id blob not null references terms (id) on delete cascade,
  accepted_at integer not null,
  locale text not null,
  occasion text not null,
  constraint terms_acceptances_all primary key (user_id, terms_id, accepted_at)
) strict;
create index terms_acceptances_terms on terms_acceptances (terms_id);
