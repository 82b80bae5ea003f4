-- by what people are found, and in what order: each of them with the row behind it, so that a page begins anywhere
create index users_status on users (status, id);
create index users_kind on users (kind, id);
create index users_signed_in on users (signed_in_at, id);
create index users_expires_at on users (expires_at, id);
create index users_without_email on users (id) where email_key is null;
