-- groups that stand in groups: what an outer one carries counts for the members of an inner one too
create table group_nesting (
  inner_id uuid not null references groups (id) on delete cascade,
  outer_id uuid not null references groups (id) on delete cascade,
  since bigint not null,
  constraint group_nesting_inner_outer primary key (inner_id, outer_id)
);
create index group_nesting_outer on group_nesting (outer_id, inner_id);

-- every group above a group, by way of however many; made anew of the table before with each change of it
create table group_ancestors (
  group_id uuid not null references groups (id) on delete cascade,
  ancestor_id uuid not null references groups (id) on delete cascade,
  distance bigint not null,
  constraint group_ancestors_group_ancestor primary key (group_id, ancestor_id)
);
create index group_ancestors_ancestor on group_ancestors (ancestor_id, group_id);

-- its row is the lock of whoever changes how groups stand in each other
insert into generations (kind, number) values ('nesting', 0);

-- from when until when a membership counts, and when it is to be begun or ended on record
alter table group_members add column starts_at bigint;
alter table group_members add column ends_at bigint;
alter table group_members add column due_at bigint;
create index group_members_due on group_members (due_at) where due_at is not null;
