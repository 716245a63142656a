-- An entity is updated in place: room on its page keeps the update off the indexes. An outcome is written once.

create table {schema}.entity_records (
    service text collate "C" not null,
    kind text collate "C" not null,
    id text collate "C" not null,
    etag bigint not null,
    record text not null,
    changed_at timestamptz not null default now(),
    expires_at timestamptz,
    primary key (service, kind, id)
) with (
    fillfactor = 75,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

create table {schema}.outcome_records (
    service text collate "C" not null,
    kind text collate "C" not null,
    id text collate "C" not null,
    etag bigint not null,
    record text not null,
    changed_at timestamptz not null default now(),
    expires_at timestamptz,
    primary key (service, kind, id)
) with (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

create table {schema}.note_records (
    service text collate "C" not null,
    kind text collate "C" not null,
    id text collate "C" not null,
    etag bigint not null,
    record text not null,
    changed_at timestamptz not null default now(),
    expires_at timestamptz,
    primary key (service, kind, id)
) with (
    fillfactor = 75,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

create index entities_that_expire on {schema}.entity_records (expires_at) where expires_at is not null;

create index outcomes_that_expire on {schema}.outcome_records (expires_at) where expires_at is not null;

create index outcomes_that_stay on {schema}.outcome_records (changed_at) where expires_at is null;

create index notes_that_expire on {schema}.note_records (expires_at) where expires_at is not null;

create function {schema}.refuse(keys text[]) returns integer language plpgsql as $$
    begin
        raise exception 'changed meanwhile: %', array_to_string(keys, ', ') using errcode = 'CHG01';
    end $$;

create function {schema}.readable(record text) returns jsonb language sql immutable parallel safe
    return replace(record, '\u0000', '\ufffd')::jsonb;

create view {schema}.entities as
    select service, kind, id, (r ->> 'v')::bigint as version, nullif(r -> 's', 'null'::jsonb) as state,
        coalesce((r ->> 'g')::boolean, false) as deleted, changed_at
    from (select *, {schema}.readable(record) as r from {schema}.entity_records) as e;

create view {schema}.outcomes as
    select service, id as event_id, r ->> 10 as type, r ->> 11 as flow_id, (r ->> 2)::timestamptz as at,
        (select coalesce(jsonb_agg({schema}.readable(e ->> 2)), '[]') from jsonb_array_elements(r -> 3) as e)
            as said,
        (select coalesce(jsonb_agg({schema}.readable(d ->> 1)), '[]') from jsonb_array_elements(r -> 4) as d)
            as deadlines,
        (select coalesce(jsonb_agg(jsonb_build_object('effect', w -> 0, 'key', w -> 1, 'request', w -> 2)), '[]')
            from jsonb_array_elements(r -> 5) as w) as intents,
        (select coalesce(jsonb_agg(jsonb_build_object('kind', c -> 0, 'id', c -> 1, 'version', c -> 2,
            'changed', c -> 3)), '[]') from jsonb_array_elements(r -> 6) as c) as decided_on,
        r -> 9 <> 'null'::jsonb as quarantined
    from (select *, {schema}.readable(record) as r from {schema}.outcome_records) as o;

create view {schema}.quarantine as
    select service, id as event_id, r ->> 10 as type, r ->> 11 as flow_id, (r ->> 2)::timestamptz as since,
        r -> 9 ->> 0 as reason, (r -> 9 ->> 1)::int as attempts, r -> 9 ->> 5 as topic, r -> 9 ->> 4 as needs,
        r -> 9 ->> 2 as stack, r -> 9 ->> 3 as event
    from (select *, {schema}.readable(record) as r from {schema}.outcome_records where expires_at is null) as o
    where r -> 9 <> 'null'::jsonb;

create view {schema}.intents as
    select n.service, n.id as answer_id, r ->> 'effect' as effect, r ->> 'key' as key,
        r ->> 'flow_id' as flow_id, (r ->> 'at')::timestamptz as since
    from (select *, {schema}.readable(record) as r from {schema}.note_records where kind = 'intent') as n
    where not exists (select from {schema}.outcome_records o
        where o.service = n.service and o.kind = 'outcome' and o.id = n.id);

create view {schema}.joins as
    select service, kind, id, j.key as "join", array(select jsonb_object_keys(j.value -> 'filled')) as arrived,
        changed_at as since
    from (select *, {schema}.readable(record) as r from {schema}.entity_records) as e, jsonb_each(r -> 'j') as j
    where not (j.value ->> 'fired')::boolean;

create view {schema}.accepted_commands as
    select service, id as event_id, {schema}.readable(r ->> 3) as event, changed_at as since
    from (select *, {schema}.readable(record) as r from {schema}.note_records where kind = 'accepted') as n;
