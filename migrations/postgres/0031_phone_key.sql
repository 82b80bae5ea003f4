-- by which number people can be found who sign in with it: the one that they have shown to be theirs
alter table users add column phone_key text collate "C";
update users
set phone_key = profile::json ->> 'phone_number'
where profile::json ->> 'phone_number_verified' = 'true';
create index users_phone_key on users (phone_key) where phone_key is not null;
