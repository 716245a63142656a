create table order_lines (
    order_id text,
    line integer,
    sku text not null,
    quantity integer not null check (quantity > 0),
    primary key (order_id, line)
);

create index order_lines_by_sku on order_lines (sku);

create table sold (
    sku text primary key,
    quantity bigint not null
);
