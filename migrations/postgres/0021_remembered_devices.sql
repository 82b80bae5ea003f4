-- since when the second factor is not asked for on a device, because the person said so there
alter table devices add column remembered_at bigint;
