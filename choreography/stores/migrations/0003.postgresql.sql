-- What lists need: when an entity was first written, and its declared fields beside the record, so that an update which
-- changes none of them touches no index. Both columns are added without rewriting the table.

alter table {schema}.entity_records add column born bigint, add column listed jsonb;

alter table {schema}.entity_records alter column born
    set default (extract(epoch from clock_timestamp()) * 1000000)::bigint;

create table {schema}.list_fields (
    kind text collate "C" not null,
    key text collate "C" not null,
    expression text not null,
    primary key (kind, key)
);

create function {schema}.decimal_key(digits text) returns text language plpgsql immutable parallel safe as $$
    declare
        mantissa text := split_part(ltrim(digits, '-'), 'E', 1);
        whole text := split_part(mantissa, '.', 1);
        every text := replace(mantissa, '.', '');
        led text := ltrim(every, '0');
    begin
        if digits !~ '^-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]{1,18})?$' then return digits; end if;
        if led = '' then return '0'; end if;
        return case when digits like '-%' then '-' else '' end || rtrim(led, '0') || 'e'
            || coalesce(nullif(split_part(digits, 'E', 2), ''), '0')::bigint + length(whole) - 1
                - (length(every) - length(led));
    end $$;

create function {schema}.moment_key(moment text) returns text language plpgsql immutable parallel safe as $$
    -- Its offset is taken off by hand: PostgreSQL knows none of more than 15 hours.
    declare
        fraction boolean := substr(moment, 20, 1) = '.';
        zone text := substr(moment, case when fraction then 27 else 20 end);
    begin
        return (extract(epoch from (substr(moment, 1, 19) || 'Z')::timestamptz) * 1000000)::bigint
            + case when fraction then substr(moment, 21, 6)::int else 0 end
            - case when zone = 'Z' then 0 else (substr(zone, 1, 1) || '1')::int * 1000000::bigint
                * (substr(zone, 2, 2)::int * 3600 + substr(zone, 5, 2)::int * 60) end;
    exception when others then
        return moment;
    end $$;

create function {schema}.list_key(value jsonb, form text, missing text)
    returns text language plpgsql immutable parallel safe as $$
    declare
        told text := value #>> '{}';
    begin
        if form = 'decimal' then
            told := {schema}.decimal_key(told);
        elsif form = 'moment' then
            told := {schema}.moment_key(told);
        end if;
        told := case when value is null then missing when told is null then '-' else '=' || told end;
        if octet_length(told) <= 64 then return told; end if;
        return '#' || encode(sha256(convert_to(told, 'UTF8')), 'hex');
    end $$;

create function {schema}.make_list(of_kind text, name text) returns void language plpgsql as $$
    declare
        fields text;
    begin
        select string_agg(format('%L, %s', key, expression), ', ' order by key) into fields
            from {schema}.list_fields where kind = of_kind and key <> '';
        execute format('create or replace function {schema}.%I(record text) returns jsonb language plpgsql immutable as '
            '$list$ declare s jsonb := {schema}.readable(record) -> ''s''; begin '
            'if jsonb_typeof(s) is distinct from ''object'' then return null; end if; '
            'return jsonb_build_object(%s); end $list$', 'listed_' || name, coalesce(fields, ''));
        execute format('create or replace function {schema}.%I() returns trigger language plpgsql as '
            '$list$ begin new.listed := {schema}.%I(new.record); return new; end $list$',
            'list_' || name, 'listed_' || name);
        if not exists (select from pg_trigger
                where tgrelid = '{schema}.entity_records'::regclass and tgname = 'list_' || name) then
            execute format('create trigger %I before insert or update of record on {schema}.entity_records '
                'for each row when (new.kind = %L) execute function {schema}.%I()',
                'list_' || name, of_kind, 'list_' || name);
        end if;
    end $$;
