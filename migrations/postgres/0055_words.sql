-- the words by which people are found: each of their names, addresses and numbers
create table user_words (
  word text collate "C" not null,
  user_id uuid not null references users (id) on delete cascade,
  constraint user_words_word_user primary key (word, user_id)
);
create index user_words_user on user_words (user_id);

-- how far it has come that whoever was there before is found by words; its row goes when it is done
create table word_sweep (
  number bigint not null,
  swept_to uuid,
  constraint word_sweep_number primary key (number)
);
insert into word_sweep (number)
select 1
where exists (select id from users);
