-- families that outlive their session, as the limit on logins counts them
create index grants_offline on grants (user_id, ended_at) where offline;
