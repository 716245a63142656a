alter table entity_records add column born integer;

update entity_records set born = etag;

create trigger entity_is_born after insert on entity_records
    begin update entity_records set born = new.etag where rowid = new.rowid; end;
