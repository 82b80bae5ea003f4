-- nobody is trusted by accident: a row that does not say so is not
alter table clients add column trusted integer not null default 0;
update clients set trusted = 1 where origin <> 'registration';
