-- how long access tokens for a resource are good for at most, in seconds
alter table resources add column access_token_lifetime bigint;
