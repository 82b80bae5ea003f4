-- what somebody has to do at the next sign-in before they are in: words with a blank between
alter table users add column required_actions text not null default '';
