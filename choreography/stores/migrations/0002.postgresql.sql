-- A view that fails on one row shows nothing of the others. So no expression in it may raise: what cannot be read is null.

create or replace function {schema}.readable(record text) returns jsonb language plpgsql immutable as $$
    begin
        return replace(record, '\u0000', '\ufffd')::jsonb;
    exception when others then
        return null;
    end $$;

create function {schema}.as_number(value jsonb) returns numeric language sql immutable parallel safe
    return case jsonb_typeof(value)
        when 'number' then value::numeric
        when 'string' then case when value #>> '{}' ~ '^[+-]?[0-9]{1,255}(\.[0-9]{1,255})?([eE][+-]?[0-9]{1,3})?$'
            then (value #>> '{}')::numeric end
        end;

create function {schema}.as_float(value jsonb) returns double precision language sql immutable parallel safe
    return case when {schema}.as_number(value) = 0 then 0
        when abs({schema}.as_number(value)) between 1e-307 and 1.7e308 then {schema}.as_number(value)::float8 end;

create function {schema}.as_count(value jsonb) returns bigint language sql immutable parallel safe
    return case when abs({schema}.as_number(value)) < 9e18 then {schema}.as_number(value)::bigint end;

create function {schema}.as_truth(value jsonb) returns boolean language sql immutable parallel safe
    return case when jsonb_typeof(value) = 'boolean' then value::boolean end;

create function {schema}.as_parts(value jsonb) returns jsonb language sql immutable parallel safe
    return case when jsonb_typeof(value) = 'array' then value else '[]' end;

create function {schema}.as_fields(value jsonb) returns jsonb language sql immutable parallel safe
    return case when jsonb_typeof(value) = 'object' then value else '{}' end;

create function {schema}.as_moment(value text) returns timestamptz language plpgsql stable as $$
    begin
        return value::timestamptz;
    exception when others then
        return null;
    end $$;

create function {schema}.as_day(value text) returns date language plpgsql stable as $$
    begin
        return value::date;
    exception when others then
        return null;
    end $$;

create or replace view {schema}.entities as
    select service, kind, id, {schema}.as_count(r -> 'v') as version, nullif(r -> 's', 'null'::jsonb) as state,
        coalesce({schema}.as_truth(r -> 'g'), false) as deleted, changed_at
    from (select *, {schema}.readable(record) as r from {schema}.entity_records) as e;

create or replace view {schema}.outcomes as
    select service, id as event_id, r ->> 10 as type, r ->> 11 as flow_id, changed_at as at,
        (select coalesce(jsonb_agg({schema}.readable(e ->> 2)), '[]')
            from jsonb_array_elements({schema}.as_parts(r -> 3)) as e) as said,
        (select coalesce(jsonb_agg({schema}.readable(d ->> 1)), '[]')
            from jsonb_array_elements({schema}.as_parts(r -> 4)) as d) as deadlines,
        (select coalesce(jsonb_agg(jsonb_build_object('effect', w -> 0, 'key', w -> 1, 'request', w -> 2)), '[]')
            from jsonb_array_elements({schema}.as_parts(r -> 5)) as w) as intents,
        (select coalesce(jsonb_agg(jsonb_build_object('kind', c -> 0, 'id', c -> 1, 'version', c -> 2,
            'changed', c -> 3)), '[]') from jsonb_array_elements({schema}.as_parts(r -> 6)) as c) as decided_on,
        coalesce(r -> 9, 'null'::jsonb) <> 'null'::jsonb as quarantined
    from (select *, {schema}.readable(record) as r from {schema}.outcome_records) as o;

create or replace view {schema}.quarantine as
    select service, id as event_id, r ->> 10 as type, r ->> 11 as flow_id, changed_at as since,
        r -> 9 ->> 0 as reason, {schema}.as_number(r -> 9 -> 1)::int as attempts, r -> 9 ->> 5 as topic,
        r -> 9 ->> 4 as needs, r -> 9 ->> 2 as stack, r -> 9 ->> 3 as event
    from (select *, {schema}.readable(record) as r from {schema}.outcome_records where expires_at is null) as o
    where r -> 9 <> 'null'::jsonb;

create or replace view {schema}.intents as
    select n.service, n.id as answer_id, r ->> 'effect' as effect, r ->> 'key' as key,
        r ->> 'flow_id' as flow_id, {schema}.as_moment(r ->> 'at') as since
    from (select *, {schema}.readable(record) as r from {schema}.note_records where kind = 'intent') as n
    where not exists (select from {schema}.outcome_records o
        where o.service = n.service and o.kind = 'outcome' and o.id = n.id);

create or replace view {schema}.joins as
    select service, kind, id, j.key as "join",
        array(select jsonb_object_keys({schema}.as_fields(j.value -> 'filled'))) as arrived, changed_at as since
    from (select *, {schema}.readable(record) as r from {schema}.entity_records) as e,
        jsonb_each({schema}.as_fields(r -> 'j')) as j
    where not coalesce({schema}.as_truth(j.value -> 'fired'), false);

create or replace view {schema}.accepted_commands as
    select service, id as event_id, {schema}.readable(r ->> 3) as event, changed_at as since
    from (select *, {schema}.readable(record) as r from {schema}.note_records where kind = 'accepted') as n;
