-- A view that fails on one row shows nothing of the others. So what cannot be read as JSON is shown as null.

drop view entities;

create view entities as
    select service, kind, id, r ->> '$.v' as version, r -> '$.s' as state, coalesce(r ->> '$.g', 0) as deleted,
        strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as changed_at
    from (select *, iif(json_valid(record), record, 'null') as r from entity_records);

drop view outcomes;

create view outcomes as
    select service, id as event_id, r ->> '$[10]' as type, r ->> '$[11]' as flow_id,
        strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as at,
        (select json_group_array(iif(json_valid(e.value ->> '$[2]'), json(e.value ->> '$[2]'), null))
            from json_each(r, '$[3]') as e where e.type = 'array') as said,
        (select json_group_array(iif(json_valid(d.value ->> '$[1]'), json(d.value ->> '$[1]'), null))
            from json_each(r, '$[4]') as d where d.type = 'array') as deadlines,
        (select json_group_array(json_object('effect', w.value ->> '$[0]', 'key', w.value ->> '$[1]',
            'request', w.value ->> '$[2]')) from json_each(r, '$[5]') as w where w.type = 'array') as intents,
        (select json_group_array(json_object('kind', c.value ->> '$[0]', 'id', c.value ->> '$[1]',
            'version', c.value ->> '$[2]', 'changed', c.value ->> '$[3]'))
            from json_each(r, '$[6]') as c where c.type = 'array') as decided_on,
        coalesce(r -> '$[9]' <> 'null', 0) as quarantined
    from (select *, iif(json_valid(record), record, 'null') as r from outcome_records);

drop view quarantine;

create view quarantine as
    select service, id as event_id, r ->> '$[10]' as type, r ->> '$[11]' as flow_id,
        strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as since, r ->> '$[9][0]' as reason,
        r ->> '$[9][1]' as attempts, r ->> '$[9][5]' as topic, r ->> '$[9][4]' as needs, r ->> '$[9][2]' as stack,
        r ->> '$[9][3]' as event
    from (select *, iif(json_valid(record), record, 'null') as r from outcome_records where expires_at is null)
    where r -> '$[9]' <> 'null';

drop view intents;

create view intents as
    select n.service, n.id as answer_id, n.r ->> '$.effect' as effect, n.r ->> '$.key' as key,
        n.r ->> '$.flow_id' as flow_id, n.r ->> '$.at' as since
    from (select *, iif(json_valid(record), record, 'null') as r from note_records where kind = 'intent') as n
    where not exists (select 1 from outcome_records o
        where o.service = n.service and o.kind = 'outcome' and o.id = n.id);

drop view joins;

create view joins as
    select e.service, e.kind, e.id, j.key as "join",
        (select json_group_array(f.key) from json_each(j.value, '$.filled') as f) as arrived,
        strftime('%Y-%m-%dT%H:%M:%fZ', e.changed_at, 'unixepoch') as since
    from (select *, iif(json_valid(record), record, 'null') as r from entity_records) as e,
        json_each(e.r, '$.j') as j
    where j.type = 'object' and not coalesce(j.value ->> '$.fired', 0);

drop view accepted_commands;

create view accepted_commands as
    select service, id as event_id, iif(json_valid(r ->> '$[3]'), json(r ->> '$[3]'), null) as event,
        strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') as since
    from (select *, iif(json_valid(record), record, 'null') as r from note_records where kind = 'accepted');
