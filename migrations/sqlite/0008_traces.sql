create table traces (
  id blob not null,
  trace text not null,
  journey text not null,
  at integer not null,
  part text not null,
  verdict text not null,
  rule text not null,
  user_id blob references users (id) on delete cascade,
  client_id blob references clients (id) on delete set null,
  steps text not null,
  constraint traces_id primary key (id)
) strict;
create index traces_trace on traces (trace);
create index traces_journey on traces (journey);
create index traces_at on traces (at);
create index traces_rule on traces (rule, id);
create index traces_user on traces (user_id, id);
create index traces_client on traces (client_id, id);
