-- whoever is mailed a link before there is an account has no row yet: the address itself, as it was typed. Purpose `registration`
alter table action_links add column email text;
create index action_links_purpose on action_links (purpose, email_key, created_at);
