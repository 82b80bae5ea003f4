-- nobody is trusted by accident: a row that does not say so is not
alter table clients add column trusted boolean not null default false;
update clients set trusted = true where origin <> 'registration';
