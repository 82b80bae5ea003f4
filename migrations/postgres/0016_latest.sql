-- a family's latest token without its chain
drop index refresh_tokens_grant;
create index refresh_tokens_grant on refresh_tokens (grant_id, issued_at);
-- the sessions that go on without those that have ended
create index sessions_live on sessions (id) where ended_at is null;
