-- what stood there before a change and what after, apart from the chained log: it goes with the person it is about
create table event_values (
  event_id blob not null,
  user_id blob,
  -- with these bytes the changes come to the digest that the event names
  salt blob not null,
  changes text not null,
  constraint event_values_event primary key (event_id)
) strict;
create index event_values_user on event_values (user_id) where user_id is not null;

-- what an event is about that is neither a person nor a client
create table event_objects (
  object_id blob not null,
  event_id blob not null,
  constraint event_objects_object_event primary key (object_id, event_id)
) strict;
create index event_objects_event on event_objects (event_id);

create index events_kind on events (kind, id);
create index events_refused on events (id) where outcome = 'refused';
create index events_client_told on events (client_id, id)
where kind not in ('authorization', 'code.redeemed', 'token.refreshed', 'token.issued', 'client.authentication', 'consent');
create index events_actor_told on events (actor_id, id)
where kind not in ('authorization', 'code.redeemed', 'token.refreshed', 'token.issued', 'client.authentication', 'consent');
