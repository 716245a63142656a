create table entity_records (
    service text not null,
    kind text not null,
    id text not null,
    etag integer not null,
    record text not null,
    changed_at real not null default ((julianday('now') - 2440587.5) * 86400.0),
    expires_at real,
    primary key (service, kind, id)
);

create table outcome_records (
    service text not null,
    kind text not null,
    id text not null,
    etag integer not null,
    record text not null,
    changed_at real not null default ((julianday('now') - 2440587.5) * 86400.0),
    expires_at real,
    primary key (service, kind, id)
);

create table note_records (
    service text not null,
    kind text not null,
    id text not null,
    etag integer not null,
    record text not null,
    changed_at real not null default ((julianday('now') - 2440587.5) * 86400.0),
    expires_at real,
    primary key (service, kind, id)
);

create index entities_that_expire on entity_records (expires_at) where expires_at is not null;

create index outcomes_that_expire on outcome_records (expires_at) where expires_at is not null;

create index notes_that_expire on note_records (expires_at) where expires_at is not null;

create view entities as
    select service, kind, id, record ->> '$.v' as version, record -> '$.s' as state,
        coalesce(record ->> '$.g', 0) as deleted, strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as changed_at
    from entity_records;

create view outcomes as
    select service, id as event_id, record ->> '$[10]' as type, record ->> '$[11]' as flow_id,
        record ->> '$[2]' as at,
        (select json_group_array(json(e.value ->> '$[2]')) from json_each(record, '$[3]') as e) as said,
        (select json_group_array(json(d.value ->> '$[1]')) from json_each(record, '$[4]') as d) as deadlines,
        (select json_group_array(json_object('effect', w.value ->> '$[0]', 'key', w.value ->> '$[1]',
            'request', w.value ->> '$[2]')) from json_each(record, '$[5]') as w) as intents,
        (select json_group_array(json_object('kind', c.value ->> '$[0]', 'id', c.value ->> '$[1]',
            'version', c.value ->> '$[2]', 'changed', c.value ->> '$[3]'))
            from json_each(record, '$[6]') as c) as decided_on,
        record -> '$[9]' <> 'null' as quarantined
    from outcome_records;

create view quarantine as
    select service, id as event_id, record ->> '$[10]' as type, record ->> '$[11]' as flow_id,
        record ->> '$[2]' as since, record ->> '$[9][0]' as reason, record ->> '$[9][1]' as attempts,
        record ->> '$[9][5]' as topic, record ->> '$[9][4]' as needs, record ->> '$[9][2]' as stack,
        record ->> '$[9][3]' as event
    from outcome_records where expires_at is null and record -> '$[9]' <> 'null';

create view intents as
    select n.service, n.id as answer_id, n.record ->> '$.effect' as effect, n.record ->> '$.key' as key,
        n.record ->> '$.flow_id' as flow_id, n.record ->> '$.at' as since
    from note_records n where n.kind = 'intent' and not exists (select 1 from outcome_records o
        where o.service = n.service and o.kind = 'outcome' and o.id = n.id);

create view joins as
    select e.service, e.kind, e.id, j.key as "join",
        (select json_group_array(f.key) from json_each(j.value, '$.filled') as f) as arrived, strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as since
    from entity_records as e, json_each(e.record, '$.j') as j where not (j.value ->> '$.fired');

create view accepted_commands as
    select service, id as event_id, json(record ->> '$[3]') as event, strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as since
    from note_records where kind = 'accepted';
