-- when somebody was invited last to an account that was made for them, and when they signed in last
alter table users add column invited_at integer;
alter table users add column signed_in_at integer;
update users
set signed_in_at = (select max(started_at) from sessions where sessions.user_id = users.id);
