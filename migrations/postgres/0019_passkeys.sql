-- a passkey is a factor of another kind: it has a public key and a counter where an authenticator has a secret and steps;
-- columns that were required of every factor are of some alone
alter table factors
  alter column sealed drop not null,
  alter column algorithm drop not null,
  alter column digits drop not null,
  alter column period drop not null,
  alter column last_step drop not null,
  add column credential_id bytea,
  add column credential text,
  add column counter bigint,
  add constraint factors_credential_id unique (credential_id);
